"""Read TIFF."""

import io
import struct
from dataclasses import replace

import numpy as np

from archive_colorizer.errors import DamagedPicture
from archive_colorizer.image.codecs.strips import raster_of
from archive_colorizer.image.codecs.tiff import tags as tiff_tags
from archive_colorizer.image.codecs.tiff.uncommon import is_rare, read_rare
from archive_colorizer.image.codecs.vips_reader import build_raster, open_image
from archive_colorizer.image.metadata.model import Found
from archive_colorizer.image.raster import Raster, Request
from archive_colorizer.storage.file_view import Stored


def read_tiff(data: Stored, request: Request) -> Raster:
    """A page of a TIFF: 1 to 16 bit and float, grey, RGB, palette, YCbCr, CMYK."""
    page = tiff_tags.open_tiff(data, request)
    stream, directory = page.stream, page.directory
    found = tiff_tags.found_in(page, request)
    if stream.number(directory, tiff_tags.COMPRESSION, 1) == tiff_tags.OLD_JPEG:
        return _old_jpeg(data[:], page.at, found, request)
    if is_rare(stream, directory):
        return read_rare(stream, directory, page.at, found, request)
    image = open_image(tiff_tags.without_giants(page), "tiff", request, page.at)
    return build_raster(image, found, "tiff", request, tiff_tags.has_alpha(stream, directory))


def _old_jpeg(data: bytes, at: int, found: Found, request: Request) -> Raster:
    """JPEG in TIFF before 1995, which libvips gives as black without an error."""
    from PIL import TiffImagePlugin

    try:
        # The plugin and not Image.open, whose own limit on pixels is not ours.
        with TiffImagePlugin.TiffImageFile(io.BytesIO(data)) as image:
            image.seek(at)
            image.load()
            samples = np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, LookupError, TypeError, struct.error) as error:
        raise DamagedPicture(f"{request.name}: cut or corrupt ({error})") from None
    note = "old-style JPEG was read leniently: look whether the picture is whole"
    found = replace(found, warnings=(*found.warnings, note))
    return raster_of(samples, None, found, "tiff", request.profile)
