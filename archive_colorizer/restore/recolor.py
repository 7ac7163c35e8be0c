"""From luma to a color field: shrink, infer, correct, fit."""

from collections.abc import Iterator, Sequence

import numpy as np

from archive_colorizer.color.blend import ChromaField, fit_chroma
from archive_colorizer.color.correct import Correction, correct
from archive_colorizer.color.sizes import enlarge, shrink
from archive_colorizer.color.space import FloatArray, Plane
from archive_colorizer.model.adapt import pack, unpack, working_size
from archive_colorizer.model.colorizer import Colorizer
from archive_colorizer.recipe import Recipe


def recolor(luma: Plane, colorizer: Colorizer, recipe: Recipe) -> ChromaField:
    """The color of a picture, ready to be blended onto its luma at full size.

    luma: H x W uint8 or uint16.  Raises ModelOutputError when the network gives NaN.
    """
    seen = shrink(luma, *working_size(colorizer.contract.input, *luma.shape))
    (mask,) = masks_of([seen], colorizer)
    return field_of(mask, seen, recipe)


def masks_of(seen: Sequence[FloatArray], colorizer: Colorizer) -> Iterator[FloatArray]:
    """The network's color masks (h x w x 2 chroma) for lumas of one working size, as one batch.

    Raises ModelOutputError when the network gives NaN.
    """
    given, made = colorizer.contract.input, colorizer.contract.output
    answers = colorizer.infer(np.concatenate([pack(luma, given) for luma in seen]))
    for at, luma in enumerate(seen):
        yield unpack(answers[at : at + 1], luma, made)


def field_of(mask: FloatArray, seen: FloatArray, recipe: Recipe) -> ChromaField:
    """The field of a mask that was made for the small luma `seen`, corrected as asked."""
    luma = luma_for(mask, seen)
    wanted = Correction(recipe.strength, recipe.hue, recipe.saturation, recipe.value)
    return fit_chroma(correct(mask, luma, wanted), luma)


def luma_for(mask: FloatArray, seen: FloatArray) -> FloatArray:
    """The small luma at the size of the mask, where the network's output has another."""
    return seen if seen.shape == mask.shape[:2] else enlarge(seen, *mask.shape[:2])
