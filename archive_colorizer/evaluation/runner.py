"""Restore grey versions of photographs with real runs, and measure the results."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from archive_colorizer.color.space import compute_chroma, compute_luma, compute_rgb
from archive_colorizer.errors import OutputError, SourceError
from archive_colorizer.evaluation.dataset import Subject
from archive_colorizer.evaluation.metrics import PhotoFigures, Picture, require_metrics
from archive_colorizer.pipeline.photos import restore_archive
from archive_colorizer.pipeline.request import validate_request
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.storage.temporary import make_temporary_folder

GREY = "grey"
"""The name of the uncolored picture among the models."""

_MARGIN = 10  # a side of a picture, in margins that a crop takes away
_EXPOSURE = 0.75
_GRAIN = 8.0  # standard deviation in code values


def restore_subjects(
    models: Sequence[str], subjects: Sequence[Subject], recipe: Recipe
) -> dict[str, list[Picture]]:
    """Return the results of each model in the order of the subjects; `grey` is no color.

    Raises SourceError when a photograph has no result, and the errors of a run.
    """
    greys = [_make_grey(subject.rgb) for subject in subjects]
    results = {GREY: greys}
    for model in dict.fromkeys(models):
        results[model] = _restore_greys(model, greys, subjects, recipe)
    return results


def restore_strengths(
    models: Iterable[str],
    percents: Sequence[int],
    greys: Sequence[Picture],
    subjects: Sequence[Subject],
    recipe: Recipe,
) -> dict[str, list[Picture]]:
    """Return results at percentages of the model's color, named for instance `default at 50 %`.

    greys: the uncolored pictures, which `restore_subjects` returns as `grey`.  Above 100 the
    setting `saturation` rises, because `strength` ends there.  Raises the errors of
    `restore_subjects`.
    """
    results = {}
    for model in dict.fromkeys(models):
        for percent in percents:
            share = percent / 100
            changes = {
                "strength": recipe.strength * min(share, 1.0),
                "saturation": recipe.saturation * max(share, 1.0),
            }
            changed = recipe.apply(changes, "evaluate")
            results[f"{model} at {percent} %"] = _restore_greys(model, greys, subjects, changed)
    return results


def _restore_greys(
    model: str, greys: Iterable[Picture], subjects: Sequence[Subject], recipe: Recipe
) -> list[Picture]:
    """Return the results of grey pictures, one for each subject, which names it in errors."""
    # Numbered, because names of different sets may be equal.
    names = [f"{number:06}.png" for number in range(len(subjects))]
    with make_temporary_folder() as folder:
        scans, output = folder / "grey", folder / "restored"
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


def measure_stability(
    results: Mapping[str, Sequence[Picture]], subjects: Sequence[Subject], recipe: Recipe
) -> dict[str, dict[str, float]]:
    """Return, by model and change, the mean CIEDE2000 between results with and without it.

    results: those of the unchanged pictures by model, as `restore_subjects` returns them.  Both
    colors are put on the luma of the unchanged picture, so that only color is compared.  Raises
    the errors of `restore_subjects`.
    """
    stability: dict[str, dict[str, float]] = {}
    for model in results:
        if model == GREY:
            continue
        stability[model] = {}
        for name, change in _CHANGES.items():
            greys = [change.alter(change.move(grey)) for grey in results[GREY]]
            changed = _restore_greys(model, greys, subjects, recipe)
            pairs = zip(map(change.move, results[model]), changed, strict=True)
            stability[model][name] = float(np.mean([_compare(*pair) for pair in pairs]))
    return stability


@dataclass(frozen=True, slots=True)
class _Change:
    """Describe a change of a picture, H x W x 3 uint8.

    move: the part of it that changes places, which is applied to results as well; alter: the
    part that changes values, which is applied to grey pictures only.
    """

    move: Callable[[Picture], Picture] = lambda picture: picture
    alter: Callable[[Picture], Picture] = lambda picture: picture


def _crop(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    down, right = height // _MARGIN, width // _MARGIN
    return picture[down : height - down, right : width - right]


def _darken(picture: Picture) -> Picture:
    return np.round(picture * _EXPOSURE).astype(np.uint8)


def _add_grain(picture: Picture) -> Picture:
    noise = np.random.default_rng(picture.shape[:2]).normal(0.0, _GRAIN, picture.shape[:2])
    return np.clip(np.round(picture + noise[..., None]), 0, 255).astype(np.uint8)


_CHANGES: Mapping[str, _Change] = {
    "crop of a tenth": _Change(move=_crop),
    "mirror": _Change(move=lambda picture: picture[:, ::-1]),
    "exposure x 0.75": _Change(alter=_darken),
    "grain of sigma 8": _Change(alter=_add_grain),
}


def _compare(result: Picture, changed: Picture) -> float:
    """Return the mean CIEDE2000 of two results with the luma of the first."""
    from skimage.color import deltaE_ciede2000, rgb2lab

    luma = _make_grey(result)[..., 0].astype(np.float32) / np.float32(255.0)
    labs = []
    for picture in (result, changed):
        chroma = compute_chroma(picture.astype(np.float32) / np.float32(255.0))
        labs.append(rgb2lab(np.clip(compute_rgb(luma, chroma), 0.0, 1.0)))
    return float(deltaE_ciede2000(*labs).mean())


def _make_grey(rgb: Picture) -> Picture:
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
