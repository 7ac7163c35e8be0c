"""Models at work: subjects made grey, restored by a real run, measured and timed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from archive_colorizer.color.space import luma_of
from archive_colorizer.errors import OutputError, SourceError
from archive_colorizer.evaluation.dataset import Subject
from archive_colorizer.evaluation.metrics import PhotoFigures, Picture, compare, need_metrics
from archive_colorizer.model import timing as pace
from archive_colorizer.model.registry import find_model
from archive_colorizer.pipeline.photos import restore_archive
from archive_colorizer.pipeline.request import place_order
from archive_colorizer.recipe.recipe import Recipe

GREY = "grey"
"""The name under which the neutral picture itself is measured."""


def restore_subjects(
    models: Sequence[str], subjects: Sequence[Subject], recipe: Recipe
) -> dict[str, list[Picture]]:
    """What each model makes of the subjects, in their order; `grey` stands for no color.

    Every photograph goes through a run as a grey PNG.  Raises SourceError when one of them
    comes back not at all, and what a run raises.
    """
    greys = [_neutral(subject.rgb) for subject in subjects]
    results = {GREY: greys}
    # By number: names of different sets may be equal.
    names = [f"{number:06}.png" for number in range(len(greys))]
    with TemporaryDirectory(prefix="archive-colorize-") as folder:
        scans = Path(folder, "grey")
        scans.mkdir()
        for name, grey in zip(names, greys, strict=True):
            _write(scans / name, grey)
        for model in dict.fromkeys(models):
            output = Path(folder, f"restored-{len(results)}")
            wanted = recipe.changed({"model": model, "force": True}, "evaluate")
            restore_archive(place_order([scans], output, wanted))
            results[model] = [
                _read(output / name, subject) for name, subject in zip(names, subjects, strict=True)
            ]
    return results


def measure(
    results: Mapping[str, Sequence[Picture]], subjects: Sequence[Subject]
) -> dict[str, list[PhotoFigures]]:
    """Figures by model, in the subjects' order.  Raises DependencyError."""
    need_metrics()
    return {
        model: [compare(made, one.rgb) for made, one in zip(restored, subjects, strict=True)]
        for model, restored in results.items()
    }


def milliseconds(model: str) -> float:
    """Median time of one inference, as `model.pace` measures it."""
    return pace.milliseconds(find_model(model))


def megabytes(model: str) -> float:
    """Size of a model's file, in 10^6 bytes."""
    return find_model(model).stat().st_size / 1e6


def _neutral(rgb: Picture) -> Picture:
    return np.repeat(np.asarray(luma_of(rgb), dtype=np.uint8)[..., None], 3, axis=2)


def _write(path: Path, rgb: Picture) -> None:
    if not cv2.imwrite(str(path), rgb[..., 0]):
        raise OutputError(f"{path}: cannot be written; is the disk of temporary files full?")


def _read(path: Path, subject: Subject) -> Picture:
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise SourceError(f"{subject.name} was not restored; run it by itself to see why")
    return np.ascontiguousarray(bgr[..., ::-1], dtype=np.uint8)
