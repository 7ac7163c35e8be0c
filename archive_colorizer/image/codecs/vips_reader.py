"""Decode with libvips: what the readers of PNG, TIFF and WebP share."""

from dataclasses import replace
from typing import Any

from archive_colorizer.color.space import Plane
from archive_colorizer.errors import UnsupportedPicture
from archive_colorizer.image.codecs import vips
from archive_colorizer.image.codecs.planes import room_for
from archive_colorizer.image.codecs.strips import raster_of_strips, strips_of
from archive_colorizer.image.metadata.model import Found
from archive_colorizer.image.raster import Format, Raster, Request, check_size
from archive_colorizer.storage.file_view import Stored

_COLORS = {"b-w": 1, "grey16": 1, "rgb": 3, "srgb": 3, "rgb16": 3}


def open_image(data: Stored, kind: Format, request: Request, page: int = 0) -> Any:
    """Open a picture for decoding in strips; raises UnsupportedPicture when it is too large."""
    image = vips.open_picture(data, kind, request.name, page)
    check_size(request.name, image.width, image.height, request.max_pixels)
    return image


def extract_metadata(image: Any) -> Found:
    """Return the EXIF, ICC, XMP and IPTC blocks that libvips found in the file."""
    return Found(
        exif=vips.blob(image, "exif-data"),
        icc=vips.blob(image, "icc-profile-data"),
        xmp=vips.blob(image, "xmp-data"),
        iptc=vips.blob(image, "iptc-data"),
    )


def build_raster(
    image: Any, found: Found, kind: Format, request: Request, named: bool = True
) -> Raster:
    """Decode and part the channels; `named` tells that a channel after the colors is alpha."""
    name = request.name
    if image.interpretation == "cmyk":
        image, note = vips.cmyk_to_srgb(image, name)
        found = replace(found, converted=True, warnings=(*found.warnings, note))
    colors = _COLORS.get(image.interpretation)
    if colors is None or image.bands < colors:
        raise UnsupportedPicture(
            f"{name}: channels of kind {image.interpretation} are not restored; convert it to RGB"
        )
    alpha: Plane | None = None
    if image.bands > colors and named:
        # libvips has divided by an alpha that was multiplied in.
        alpha = room_for((image.height, image.width), vips.depth_of(image, name), found)
    if image.bands > colors + (alpha is not None):
        note = "channels of unknown meaning were dropped"
        found = replace(found, warnings=(*found.warnings, note))
    strips = strips_of(image, name).parted(colors, alpha)
    return raster_of_strips(strips, alpha, found, kind, request.profile)
