"""Restore grey versions of photographs with real runs, and measure the results."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from archive_colorizer.color.space import compute_luma
from archive_colorizer.errors import OutputError, SourceError
from archive_colorizer.evaluation.dataset import Subject
from archive_colorizer.evaluation.metrics import PhotoFigures, Picture, require_metrics
from archive_colorizer.pipeline.photos import restore_archive
from archive_colorizer.pipeline.request import validate_request
from archive_colorizer.recipe.recipe import Recipe

GREY = "grey"
"""The name of the uncolored picture among the models."""


def restore_subjects(
    models: Sequence[str], subjects: Sequence[Subject], recipe: Recipe
) -> dict[str, list[Picture]]:
    """Return the results of each model in the order of the subjects; `grey` is no color.

    Raises the errors of `restore_greys`.
    """
    greys = [make_grey(subject.rgb) for subject in subjects]
    results = {GREY: greys}
    for model in dict.fromkeys(models):
        results[model] = restore_greys(model, greys, subjects, recipe)
    return results


def restore_strengths(
    models: Iterable[str], percents: Sequence[int], subjects: Sequence[Subject], recipe: Recipe
) -> dict[str, list[Picture]]:
    """Return results at percentages of the model's color, named for instance `default at 50 %`.

    Above 100 the setting `saturation` rises, because `strength` ends there.  Raises the errors of
    `restore_greys`.
    """
    greys = [make_grey(subject.rgb) for subject in subjects]
    results = {}
    for model in dict.fromkeys(models):
        for percent in percents:
            share = percent / 100
            changes = {
                "strength": recipe.strength * min(share, 1.0),
                "saturation": recipe.saturation * max(share, 1.0),
            }
            changed = recipe.apply(changes, "evaluate")
            results[f"{model} at {percent} %"] = restore_greys(model, greys, subjects, changed)
    return results


def restore_greys(
    model: str, greys: Iterable[Picture], subjects: Sequence[Subject], recipe: Recipe
) -> list[Picture]:
    """Return the results of grey pictures, one for each subject, which names it in errors.

    Each is a grey PNG in a run.  Raises SourceError when one has no result, and the errors of a
    run.
    """
    # Numbered, because names of different sets may be equal.
    names = [f"{number:06}.png" for number in range(len(subjects))]
    with TemporaryDirectory(prefix="archive-colorize-") as folder:
        scans, output = Path(folder, "grey"), Path(folder, "restored")
        scans.mkdir()
        for name, grey in zip(names, greys, strict=True):
            _write(scans / name, grey)
        model_recipe = recipe.apply({"model": model, "force": True}, "evaluate")
        restore_archive(validate_request([scans], output, model_recipe))
        return [
            _read(output / name, subject) for name, subject in zip(names, subjects, strict=True)
        ]


def measure(
    results: Mapping[str, Sequence[Picture]], subjects: Sequence[Subject]
) -> dict[str, list[PhotoFigures]]:
    """Return metrics by model in the order of the subjects; raises DependencyError."""
    require_metrics()
    truths = [subject.rgb for subject in subjects]
    return {
        model: [PhotoFigures.compare(*pair) for pair in zip(restored, truths, strict=True)]
        for model, restored in results.items()
    }


def make_grey(rgb: Picture) -> Picture:
    """Return a neutral picture with the luma of an sRGB picture, both H x W x 3 uint8."""
    return np.repeat(np.asarray(compute_luma(rgb), dtype=np.uint8)[..., None], 3, axis=2)


def _write(path: Path, rgb: Picture) -> None:
    if not cv2.imwrite(str(path), rgb[..., 0]):
        raise OutputError(f"{path}: cannot be written; is the disk of temporary files full?")


def _read(path: Path, subject: Subject) -> Picture:
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise SourceError(f"{subject.name} was not restored; run it by itself to see why")
    return np.ascontiguousarray(bgr[..., ::-1], dtype=np.uint8)
