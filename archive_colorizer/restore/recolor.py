"""From luma to a color field: shrink, infer, correct, fit."""

from archive_colorizer.color.blend import ChromaField, fit_chroma
from archive_colorizer.color.correct import Correction, correct
from archive_colorizer.color.sizes import enlarge, shrink
from archive_colorizer.color.space import Plane
from archive_colorizer.model.adapt import pack, unpack, working_size
from archive_colorizer.model.colorizer import Colorizer
from archive_colorizer.recipe import Recipe


def recolor(luma: Plane, colorizer: Colorizer, recipe: Recipe) -> ChromaField:
    """The color of a picture, ready to be blended onto its luma at full size.

    luma: H x W uint8 or uint16.  Raises ModelOutputError when the network gives NaN.
    """
    given, made = colorizer.contract.input, colorizer.contract.output
    height, width = luma.shape
    seen = shrink(luma, *working_size(given, height, width))
    mask = unpack(colorizer.infer(pack(seen, given)), seen, made)
    mask_luma = seen if seen.shape == mask.shape[:2] else enlarge(seen, *mask.shape[:2])
    wanted = Correction(recipe.strength, recipe.hue, recipe.saturation, recipe.value)
    return fit_chroma(correct(mask, mask_luma, wanted), mask_luma)
