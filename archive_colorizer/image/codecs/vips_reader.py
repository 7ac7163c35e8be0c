"""One reader a format: bytes to a Raster, strictly."""

import io
import struct
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from archive_colorizer.color.space import Plane
from archive_colorizer.errors import DamagedPicture, UnsupportedPicture
from archive_colorizer.image.codecs import vips
from archive_colorizer.image.codecs.jpeg.segments import iptc_of
from archive_colorizer.image.codecs.planes import room_for
from archive_colorizer.image.codecs.png import chunks as png_chunks
from archive_colorizer.image.codecs.strips import raster_of, raster_of_strips, strips_of
from archive_colorizer.image.codecs.tiff import tags as tiff_tags
from archive_colorizer.image.codecs.tiff.uncommon import is_rare, read_rare
from archive_colorizer.image.metadata.model import Found
from archive_colorizer.image.raster import Format, Raster, Request
from archive_colorizer.media.limits import check_size
from archive_colorizer.storage.file_view import Stored

_COLORS = {"b-w": 1, "grey16": 1, "rgb": 3, "srgb": 3, "rgb16": 3}

_GAMMA = "the PNG states a gamma of its own without a profile: it was taken for sRGB"


class Reader(Protocol):
    """Decodes one format; raises PictureTooLarge, DamagedPicture or UnsupportedPicture."""

    def __call__(self, data: bytes, request: Request) -> Raster: ...


def read_png(data: Stored, request: Request) -> Raster:
    """PNG of any depth and kind; palettes and transparency are expanded by libvips."""
    image = _open(data, "png", request)
    found = _found_in(image)
    names = set()
    for kind, body in png_chunks.chunks(data):
        names.add(kind)
        if kind == b"pHYs":
            found = replace(found, dpi=png_chunks.density_of(body))
        elif kind == b"eXIf":
            found = replace(found, exif=body)
        elif kind == b"iCCP":
            found = replace(found, icc=png_chunks.profile_of(body))
        elif kind == b"gAMA" and not png_chunks.is_usual_gamma(body):
            found = replace(found, warnings=(*found.warnings, _GAMMA))
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            found = _with_text(found, kind, body)
    if b"IEND" not in names:
        raise DamagedPicture(f"{request.name}: cut before its end; look for a better copy")
    if names & {b"iCCP", b"sRGB"}:
        found = replace(found, warnings=tuple(one for one in found.warnings if one != _GAMMA))
    if b"acTL" in names:
        note = "only the still picture of an animation was restored"
        found = replace(found, warnings=(*found.warnings, note))
    return _raster(image, found, "png", request)


def _with_text(found: Found, kind: bytes, body: bytes) -> Found:
    """`found` with a text chunk, or with the metadata that it hides."""
    text = png_chunks.text_of(kind, body)
    if text is None:
        note = "a text in the PNG is damaged or too long and was dropped"
        return found if note in found.warnings else replace(found, warnings=(*found.warnings, note))
    keyword, content = text
    if keyword == png_chunks.XMP:
        return replace(found, xmp=found.xmp or content.encode())
    if keyword == png_chunks.IPTC:
        raw = png_chunks.raw_profile_of(content) or b""
        return replace(found, iptc=iptc_of(raw) or raw or None)
    if keyword in png_chunks.EXIF:
        return replace(found, exif=found.exif or png_chunks.raw_profile_of(content))
    return replace(found, comments=(*found.comments, text))


def read_webp(data: bytes, request: Request) -> Raster:
    """WebP; of an animation the first picture."""
    image = _open(data, "webp", request)
    found = _found_in(image)
    if vips.number(image, "n-pages", 1) > 1:
        found = replace(found, warnings=("only the first picture of an animation was restored",))
    return _raster(image, found, "webp", request)


def read_tiff(data: Stored, request: Request) -> Raster:
    """A page of a TIFF: 1 to 16 bit and float, grey, RGB, palette, YCbCr, CMYK."""
    page = tiff_tags.open_tiff(data, request)
    stream, directory = page.stream, page.directory
    found = tiff_tags.found_in(page, request)
    if stream.number(directory, tiff_tags.COMPRESSION, 1) == tiff_tags.OLD_JPEG:
        return _old_jpeg(data[:], page.at, found, request)
    if is_rare(stream, directory):
        return read_rare(stream, directory, page.at, found, request)
    image = _open(tiff_tags.without_giants(page), "tiff", request, page.at)
    return _raster(image, found, "tiff", request, tiff_tags.has_alpha(stream, directory))


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


def _open(data: Stored, kind: Format, request: Request, page: int = 0) -> Any:
    image = vips.open_picture(data, kind, request.name, page)
    check_size(request.name, image.width, image.height, request.max_pixels)
    return image


def _found_in(image: Any) -> Found:
    return Found(
        exif=vips.blob(image, "exif-data"),
        icc=vips.blob(image, "icc-profile-data"),
        xmp=vips.blob(image, "xmp-data"),
        iptc=vips.blob(image, "iptc-data"),
    )


def _raster(image: Any, found: Found, kind: Format, request: Request, named: bool = True) -> Raster:
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
