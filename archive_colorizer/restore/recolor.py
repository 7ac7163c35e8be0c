"""From luma to a color field: shrink, infer, correct, fit."""

from archive_colorizer.color.blend import ChromaField, fit_chroma
from archive_colorizer.color.correct import Correction, correct
from archive_colorizer.color.sizes import shrink
from archive_colorizer.color.space import FloatArray, Plane
from archive_colorizer.model.adapt import working_size
from archive_colorizer.recipe import Recipe
from archive_colorizer.restore.painter import Painter, luma_for


def recolor(luma: Plane, painter: Painter, recipe: Recipe) -> ChromaField:
    """The color of a picture, ready to be blended onto its luma at full size.

    luma: H x W uint8 or uint16.  Raises ModelOutputError when a network gives NaN.
    """
    sight = tuple(shrink(luma, *working_size(given, *luma.shape)) for given in painter.inputs)
    (mask,) = painter.masks([sight])
    return field_of(mask, sight[0], recipe)


def field_of(mask: FloatArray, seen: FloatArray, recipe: Recipe) -> ChromaField:
    """The field of a mask that was made for the small luma `seen`, corrected as asked."""
    luma = luma_for(mask, seen)
    wanted = Correction(recipe.strength, recipe.hue, recipe.saturation, recipe.value)
    return fit_chroma(correct(mask, luma, wanted), luma)
