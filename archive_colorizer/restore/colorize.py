"""Turn luma into a color field: shrink, infer, correct, fit."""

from dataclasses import replace

from archive_colorizer.color.analysis.faces import find_faces
from archive_colorizer.color.analysis.quality import (
    measure_blotches,
    measure_clipping,
    measure_hue_dominance,
    measure_skin_distance,
    measure_strength,
)
from archive_colorizer.color.blend import ChromaField
from archive_colorizer.color.correct import Correction, HueBand, correct
from archive_colorizer.color.resample import enlarge, shrink
from archive_colorizer.color.space import FloatArray, Plane
from archive_colorizer.model.ensemble import Ensemble
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.outcomes import Measures
from archive_colorizer.restore.guides import NO_GUIDES, Guides
from archive_colorizer.restore.reference import load_palette

_PLACES = 5
"""Decimals of figures in the manifest."""


def colorize_photo(
    luma: Plane, ensemble: Ensemble, recipe: Recipe, guides: Guides = NO_GUIDES
) -> tuple[ChromaField, Measures]:
    """Compute the color of a picture, to be blended onto its luma at full size, and measure it.

    luma: H x W uint8 or uint16.  Raises ModelOutputError when a network gives NaN, GuideError
    for invalid known colors, and UsageError for a reference that has changed.
    """
    mask, small = infer_mask(luma, ensemble)
    field, corrected = apply_user_color(mask, small, luma, recipe, guides)
    return field, _measure_mask(mask, corrected, small)


def apply_user_color(
    mask: FloatArray, small: FloatArray, luma: Plane, recipe: Recipe, guides: Guides
) -> tuple[ChromaField, FloatArray]:
    """Apply the reference palette, corrections and hints to a mask of `infer_mask`.

    Returns the field for full size and the corrected mask.
    """
    palette = load_palette(recipe)
    if palette is not None:
        mask = palette.apply(mask, small, recipe.reference_strength)
    corrected = correct(mask, small, _build_correction(recipe))
    corrected = guides.apply_hints(corrected, small, (luma.shape[0], luma.shape[1]), recipe)
    spatial_masks = guides.build_spatial_masks(luma, recipe.borders)
    return replace(ChromaField.fit(corrected, small), spatial_masks=spatial_masks), corrected


def infer_mask(luma: Plane, ensemble: Ensemble) -> tuple[FloatArray, FloatArray]:
    """Run the networks on a picture; returns their mask and the small luma of the same size.

    luma: H x W uint8 or uint16.  Raises ModelOutputError when a network gives NaN.
    """
    sight = tuple(
        shrink(luma, *network_input.compute_working_size(*luma.shape))
        for network_input in ensemble.inputs
    )
    (mask,) = ensemble.infer_masks([sight])
    return mask, enlarge(sight[0], *mask.shape[:2])


def correct_mask(mask: FloatArray, small: FloatArray, recipe: Recipe) -> ChromaField:
    """Correct a mask by the recipe and fit it to the small luma that the network saw."""
    luma = enlarge(small, *mask.shape[:2])
    return ChromaField.fit(correct(mask, luma, _build_correction(recipe)), luma)


def _measure_mask(mask: FloatArray, corrected: FloatArray, luma: FloatArray) -> Measures:
    """Measure how weak a mask is, by the small luma of the same size.

    Strength and blotches are measured before corrections, which the user chose; skin and
    clipping after them, as the result will look.
    """
    skin = measure_skin_distance(corrected, find_faces(luma))
    strength = measure_strength(mask)
    return Measures(
        grey=round(strength, _PLACES),
        one_color=round(measure_hue_dominance(mask, strength), _PLACES),
        blotches=round(measure_blotches(mask, luma), _PLACES),
        clipped=round(measure_clipping(corrected, luma), _PLACES),
        skin=None if skin is None else round(skin, _PLACES),
    )


def find_weaknesses(measures: Measures, recipe: Recipe) -> tuple[str, ...]:
    """List the names of the Measures that miss the thresholds of the recipe."""
    skin = 0.0 if measures.skin is None else measures.skin
    checks = {
        "grey": measures.grey < recipe.weak_grey,
        # A nearly grey result has one hue by nature.
        "one_color": measures.one_color > recipe.weak_one_color
        and measures.grey >= recipe.weak_grey,
        "blotches": measures.blotches > recipe.weak_blotches,
        "clipped": measures.clipped > recipe.weak_clipped,
        "skin": skin > recipe.weak_skin and recipe.strength > 0,
    }
    return tuple(name for name, is_weak in checks.items() if is_weak)


def _build_correction(recipe: Recipe) -> Correction:
    return Correction(
        strength=recipe.strength,
        hue=recipe.hue,
        saturation=recipe.saturation,
        value=recipe.value,
        bands=tuple(
            HueBand(band.from_, band.width, band.soft, band.shift, band.saturation, band.value)
            for band in recipe.hue_range
        ),
        shadows=recipe.strength_shadows,
        highlights=recipe.strength_highlights,
        blend=recipe.blend,
    )
