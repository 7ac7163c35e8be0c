"""Measure how much the colors of a model change with a change that no color depends on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from archive_colorizer.color.space import compute_chroma, compute_rgb
from archive_colorizer.evaluation.dataset import Subject
from archive_colorizer.evaluation.metrics import Picture
from archive_colorizer.evaluation.runner import GREY, make_grey, restore_greys
from archive_colorizer.recipe.recipe import Recipe

_MARGIN = 10  # a side of a picture, in margins that a crop takes away
_EXPOSURE = 0.75
_GRAIN = 8.0  # standard deviation in code values


@dataclass(frozen=True, slots=True)
class Change:
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


CHANGES: Mapping[str, Change] = {
    "crop of a tenth": Change(move=_crop),
    "mirror": Change(move=lambda picture: picture[:, ::-1]),
    "exposure x 0.75": Change(alter=_darken),
    "grain of sigma 8": Change(alter=_add_grain),
}


def measure_stability(
    results: Mapping[str, Sequence[Picture]], subjects: Sequence[Subject], recipe: Recipe
) -> dict[str, dict[str, float]]:
    """Return, by model and change, the mean CIEDE2000 between results with and without it.

    results: those of the unchanged pictures by model, as `restore_subjects` returns them.  Both
    colors are put on the luma of the unchanged picture, so that only color is compared.  Raises
    the errors of `restore_greys`.
    """
    stability: dict[str, dict[str, float]] = {}
    for model in results:
        if model == GREY:
            continue
        stability[model] = {}
        for name, change in CHANGES.items():
            greys = [change.alter(change.move(grey)) for grey in results[GREY]]
            changed = restore_greys(model, greys, subjects, recipe)
            pairs = zip(map(change.move, results[model]), changed, strict=True)
            stability[model][name] = float(np.mean([_compare(*pair) for pair in pairs]))
    return stability


def _compare(result: Picture, changed: Picture) -> float:
    """Return the mean CIEDE2000 of two results with the luma of the first."""
    from skimage.color import deltaE_ciede2000, rgb2lab

    luma = make_grey(result)[..., 0].astype(np.float32) / np.float32(255.0)
    labs = []
    for picture in (result, changed):
        chroma = compute_chroma(picture.astype(np.float32) / np.float32(255.0))
        labs.append(rgb2lab(np.clip(compute_rgb(luma, chroma), 0.0, 1.0)))
    return float(deltaE_ciede2000(*labs).mean())
