"""Read PNG."""

from dataclasses import replace
from typing import Final

from archive_colorizer.errors import DamagedPicture
from archive_colorizer.image.codecs.jpeg.segments import iptc_of
from archive_colorizer.image.codecs.png import chunks as png_chunks
from archive_colorizer.image.codecs.vips_reader import build_raster, extract_metadata, open_image
from archive_colorizer.image.metadata.model import Found
from archive_colorizer.image.raster import Raster, Request
from archive_colorizer.storage.file_view import Stored

_GAMMA: Final = "the PNG states a gamma of its own without a profile: it was taken for sRGB"


def read_png(data: Stored, request: Request) -> Raster:
    """PNG of any depth and kind; palettes and transparency are expanded by libvips."""
    image = open_image(data, "png", request)
    found = extract_metadata(image)
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
    return build_raster(image, found, "png", request)


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
