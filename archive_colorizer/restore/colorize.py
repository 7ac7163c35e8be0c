"""From luma to a color field: shrink, infer, correct, fit."""

from dataclasses import replace

from archive_colorizer.color.analysis.faces import find_faces
from archive_colorizer.color.analysis.quality import (
    blotches,
    clipped_share,
    one_color_share,
    skin_distance,
    strength_of,
)
from archive_colorizer.color.blend import ChromaField, fit_chroma
from archive_colorizer.color.correct import Correction, correct
from archive_colorizer.color.hue_bands import HueBand
from archive_colorizer.color.palette import moved
from archive_colorizer.color.resample import shrink
from archive_colorizer.color.space import FloatArray, Plane
from archive_colorizer.model.color_spaces import working_size
from archive_colorizer.model.ensemble import Painter, luma_for
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.outcomes import Measures
from archive_colorizer.restore.guides import NO_AIDS, Aids
from archive_colorizer.restore.reference import palette_for

_PLACES = 5
"""Decimals of figures in the manifest."""


def recolor(
    luma: Plane, painter: Painter, recipe: Recipe, aids: Aids = NO_AIDS
) -> tuple[ChromaField, Measures]:
    """The color of a picture, ready to be blended onto its luma at full size, and its figures.

    luma: H x W uint8 or uint16.  Raises ModelOutputError when a network gives NaN, GuideError
    for known colors that cannot be meant, and UsageError for a reference that has changed.
    """
    mask, small = mask_of(luma, painter)
    told = _told(mask, small, luma, recipe, aids)
    return _with_shares(told, small, luma, recipe, aids), _measures(mask, told, small)


def recolored(
    mask: FloatArray, small: FloatArray, luma: Plane, recipe: Recipe, aids: Aids
) -> ChromaField:
    """As `recolor`, with what `mask_of` has given for this luma."""
    return _with_shares(_told(mask, small, luma, recipe, aids), small, luma, recipe, aids)


def _told(
    mask: FloatArray, small: FloatArray, luma: Plane, recipe: Recipe, aids: Aids
) -> FloatArray:
    """The mask after all that a person has said: reference, corrections, known colors."""
    palette = palette_for(recipe)
    likened = mask if palette is None else moved(mask, small, palette, recipe.reference_strength)
    corrected = correct(likened, small, _wanted(recipe))
    return aids.with_known(corrected, small, (luma.shape[0], luma.shape[1]), recipe)


def _with_shares(
    told: FloatArray, small: FloatArray, luma: Plane, recipe: Recipe, aids: Aids
) -> ChromaField:
    return replace(fit_chroma(told, small), shares=aids.shares(luma, recipe.borders))


def mask_of(luma: Plane, painter: Painter) -> tuple[FloatArray, FloatArray]:
    """The mask of a picture as the network makes it, and the picture's small luma of that size.

    luma: H x W uint8 or uint16.  Raises ModelOutputError when a network gives NaN.
    """
    sight = tuple(shrink(luma, *working_size(given, *luma.shape)) for given in painter.inputs)
    (mask,) = painter.masks([sight])
    return mask, luma_for(mask, sight[0])


def field_of(mask: FloatArray, seen: FloatArray, recipe: Recipe) -> ChromaField:
    """The field of a mask that was made for the small luma `seen`, corrected as asked."""
    luma = luma_for(mask, seen)
    return fit_chroma(correct(mask, luma, _wanted(recipe)), luma)


def _measures(mask: FloatArray, corrected: FloatArray, luma: FloatArray) -> Measures:
    """How weak a mask is, beside the small luma of its own size.

    What the network has made is judged as it made it, since corrections are a person's wish;
    skin and clipping are judged as they will be seen.
    """
    skin = skin_distance(corrected, find_faces(luma))
    strength = strength_of(mask)
    return Measures(
        grey=round(strength, _PLACES),
        one_color=round(one_color_share(mask, strength), _PLACES),
        blotches=round(blotches(mask, luma), _PLACES),
        clipped=round(clipped_share(corrected, luma), _PLACES),
        skin=None if skin is None else round(skin, _PLACES),
    )


def flags_of(measures: Measures, recipe: Recipe) -> tuple[str, ...]:
    """What a result is weak in by the thresholds of a recipe: names of Measures."""
    skin = 0.0 if measures.skin is None else measures.skin
    found = {
        "grey": measures.grey < recipe.weak_grey,
        # Of what is nearly grey, one hue is nothing to look at.
        "one_color": measures.one_color > recipe.weak_one_color
        and measures.grey >= recipe.weak_grey,
        "blotches": measures.blotches > recipe.weak_blotches,
        "clipped": measures.clipped > recipe.weak_clipped,
        "skin": skin > recipe.weak_skin and recipe.strength > 0,
    }
    return tuple(name for name, weak in found.items() if weak)


def _wanted(recipe: Recipe) -> Correction:
    return Correction(
        strength=recipe.strength,
        hue=recipe.hue,
        saturation=recipe.saturation,
        value=recipe.value,
        bands=tuple(
            HueBand(one.from_, one.width, one.soft, one.shift, one.saturation, one.value)
            for one in recipe.hue_range
        ),
        shadows=recipe.strength_shadows,
        highlights=recipe.strength_highlights,
        blend=recipe.blend,
    )
