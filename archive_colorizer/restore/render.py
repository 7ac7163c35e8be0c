"""Render: a picture and its color to the bytes of the finished file."""

from dataclasses import dataclass

import numpy as np

from archive_colorizer.color.blend import ChromaField, blend_planes, blend_rgb
from archive_colorizer.errors import SourceError
from archive_colorizer.media import jpeg, stills
from archive_colorizer.media.jpeg_lossless import encode_lossless
from archive_colorizer.media.jpeg_turn import as_stored, stored_orientation
from archive_colorizer.media.raster import Metadata, Raster
from archive_colorizer.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Rendering:
    """A finished file, and what is to be said about it."""

    content: bytes
    warnings: tuple[str, ...] = ()


def render(
    source: bytes, raster: Raster, field: ChromaField, metadata: Metadata, recipe: Recipe
) -> Rendering:
    """Blend and encode in the source's own format.

    source: the file that `raster` was decoded from; its luma coefficients are carried over
    when the recipe asks for that and the file is a JPEG that allows it.
    """
    if raster.format != "jpeg":
        return Rendering(stills.encode(blend_rgb(raster.luma, field), raster, metadata))
    if recipe.luma != "lossless":
        return Rendering(_encoded(raster, field, metadata, recipe))
    if raster.converted:
        refused = "its colors were converted to sRGB"
    else:
        try:
            return Rendering(_lossless(source, raster, field, metadata))
        except SourceError as error:
            refused = str(error)
    said = f"luma was encoded again, not carried over bit for bit: {refused}"
    return Rendering(_encoded(raster, field, metadata, recipe), (said,))


def _encoded(raster: Raster, field: ChromaField, metadata: Metadata, recipe: Recipe) -> bytes:
    luma = np.asarray(raster.luma, dtype=np.uint8)
    cb, cr = blend_planes(luma, field)
    return jpeg.encode_jpeg(luma, cb, cr, metadata, recipe.jpeg_quality)


def _lossless(source: bytes, raster: Raster, field: ChromaField, metadata: Metadata) -> bytes:
    """Pixels stay as they are stored, and so does the orientation tag: that is exact."""
    orientation = stored_orientation(source)
    luma = np.asarray(as_stored(raster.luma, orientation), dtype=np.uint8)
    stored = ChromaField(np.asarray(as_stored(field.lines, orientation), dtype=np.float32))
    cb, cr = blend_planes(luma, stored)
    return encode_lossless(source, cb, cr, metadata, "the source")
