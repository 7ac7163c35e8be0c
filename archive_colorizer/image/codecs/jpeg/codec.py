"""JPEG, the short way: grey in, Y, Cb and Cr planes out, no RGB at full size."""

import math
from dataclasses import replace
from functools import cache
from typing import BinaryIO, Final, cast

import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import chroma_of, luma_of
from archive_colorizer.color.strip_image import Picture
from archive_colorizer.errors import DamagedPicture, ResultUnwritable, UnsupportedPicture
from archive_colorizer.image.codecs import vips
from archive_colorizer.image.codecs.bmp_jp2 import _STRIP
from archive_colorizer.image.codecs.jpeg import segments as parts
from archive_colorizer.image.codecs.jpeg.coefficients import Plane8
from archive_colorizer.image.codecs.jpeg.orientation import stored_orientation
from archive_colorizer.image.codecs.jpeg.scan_transfer import can_carry
from archive_colorizer.image.codecs.planes import is_grey, plan_of, turned
from archive_colorizer.image.codecs.preview import PREVIEW_SIDE, preview_of
from archive_colorizer.image.codecs.strips import raster_of, raster_of_strips, strips_of
from archive_colorizer.image.metadata.model import Found, read_metadata, upright
from archive_colorizer.image.metadata.xmp import join_extended
from archive_colorizer.image.raster import Metadata, Raster, Request, check_size

FAITHFUL: Final = 100
"""The quality at which the luma of a picture written again stays within 1 code value.

Measured on 37 pictures saved at 75 to 100: the worst error is 1 (once 2, in a few pixels) at
100, 2 at 99 and 4 at 98.  It costs 1.0 to 3.3 times the size of the source.  The source's own
table keeps the size and gives a mean of 0.002 to 0.4, but up to 30 in blocks whose values
were clipped at black or white.
"""


_LEAST_PREVIEW: Final = PREVIEW_SIDE * 3 // 4


_IJG_LUMA: Final = np.array(
    (
        (16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40),
        (26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57, 51),
        (56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87),
        (95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99),
    ),
    dtype=np.int64,
).reshape(64)
"""ITU-T T.81, table K.1, in zigzag order."""


def decode_jpeg(data: bytes, request: Request) -> Raster:
    """Decode to luma, with a small RGB preview for a file of three components.

    CMYK and YCCK go through their profile to sRGB.  Raises PictureTooLarge from the header,
    DamagedPicture and UnsupportedPicture.
    """
    name = request.name
    frame = parts.frame_of(data, name)
    check_size(name, frame.width, frame.height, request.max_pixels)
    if frame.precision != 8:
        raise UnsupportedPicture(f"{name}: a JPEG of {frame.precision} bit; convert it to TIFF")
    if len(data) < parts.least_bytes(frame):
        raise DamagedPicture(f"{name}: too short for its {frame.width} x {frame.height} pixels")
    quality = estimated_quality(data, frame.luma_table)
    found = _read_segments(data)
    plan = plan_of(found, frame.components == 3, request.profile)
    # Whatever a profile does to colors, it does to whole colors and not to luma alone.
    doubtful = plan.warnings and (found.icc or b"")[16:20] == b"GRAY"
    managed = frame.components == 3 and (plan.source or doubtful)
    if frame.components not in (1, 3) or managed:
        return _decode_slowly(data, found, quality, request)
    try:
        luma, preview = _decode_planes(data, frame)
    except ValueError as objection:
        if "subsampling" not in str(objection):
            mended = f"the JPEG is faulty, parts of the picture may be missing ({objection})"
            found = replace(found, warnings=(*found.warnings, mended))
        return _decode_slowly(data, found, quality, request)
    if preview is None:
        grey = raster_of(luma, None, found, "jpeg", request.profile)
        as_coded = can_carry(frame) and not grey.converted and stored_orientation(data) == 1
        return replace(grey, quality=quality, as_coded=as_coded)
    raster = Raster(luma=luma, format="jpeg", preview=preview, quality=quality)
    return turned(raster, read_metadata(found, plan))


def encode_jpeg(y: Plane8, cb: Plane8, cr: Plane8, metadata: Metadata, quality: int) -> bytes:
    """A baseline JFIF file from full-range BT.601 planes.

    y: H x W uint8.  cb, cr: uint8 of ceil(H/2) x ceil(W/2) for 4:2:0, or H x W for 4:4:4.
    quality: 1 to 100, or 0 for the one that keeps luma (`FAITHFUL`).  Raises ResultUnwritable.
    """
    import simplejpeg

    chroma = [np.ascontiguousarray(plane) for plane in (cb, cr)]
    luma = _with_margin(y, even=cb.shape != y.shape)
    try:
        jpeg = simplejpeg.encode_jpeg_yuv_planes(luma, *chroma, quality=quality or FAITHFUL)
    except ValueError as error:
        raise ResultUnwritable(
            f"a JPEG of {y.shape[1]} x {y.shape[0]} cannot be written: {error}"
        ) from None
    return parts.with_metadata(jpeg, metadata)


def _with_margin(y: Plane8, even: bool) -> Plane8:
    """The plane as a view of a larger one, where subsampling needs even sides.

    libjpeg-turbo reads whole blocks of 2 x 2 luma samples, also past the last odd row and
    column, so that memory has to be there and to hold what the edge holds.
    """
    rows, columns = y.shape[0] % 2, y.shape[1] % 2
    if not even or not (rows or columns):
        return np.ascontiguousarray(y)
    return np.pad(y, ((0, rows), (0, columns)), mode="edge")[: y.shape[0], : y.shape[1]]


def estimated_quality(data: bytes, table: int) -> int:
    """The IJG quality (1 to 100) of a JPEG's luma table, or the least one that is as fine."""
    divisors = parts.quantisation_table(data, table)
    if divisors is None:
        return FAITHFUL
    tables = _ijg_tables()
    for fit in (tables == divisors, tables <= divisors):
        found = np.flatnonzero(fit.all(axis=1))
        if found.size:
            return int(found[0]) + 1
    return FAITHFUL


def coarseness(quality: int) -> int:
    """What a JPEG of this IJG quality divides the mean of each luma block by, times 8."""
    return int(_ijg_tables()[quality - 1, 0])


@cache
def _ijg_tables() -> npt.NDArray[np.int64]:
    """100 x 64: the luma tables of the qualities 1 to 100, in zigzag order."""
    quality = np.arange(1, 101)[:, None]
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    return cast(npt.NDArray[np.int64], np.clip((_IJG_LUMA * scale + 50) // 100, 1, 255))


def _decode_planes(data: bytes, frame: parts.Frame) -> tuple[Plane8, Plane8 | None]:
    """Luma and preview by libjpeg-turbo; ValueError when it has the least to object to."""
    import simplejpeg

    luma = simplejpeg.decode_jpeg(data, "GRAY")[..., 0]
    if frame.components == 1:
        return luma, None
    # An eighth, which is all that 12 megapixels need, takes no transform of blocks at all.
    share = min(1.0, _LEAST_PREVIEW / max(frame.width, frame.height))
    least = {
        "min_width": math.ceil(frame.width * share),
        "min_height": math.ceil(frame.height * share),
    }
    small = preview_of(simplejpeg.decode_jpeg(data, "RGB", **least))
    return luma, None if is_grey(small) else small


def _decode_slowly(data: bytes, found: Found, quality: int, request: Request) -> Raster:
    """The way of CMYK, odd sampling, slight faults and colors to be converted: libvips.

    It refuses cut files.
    """
    image = vips.open_picture(data, "jpeg", request.name)
    if image.bands == 4:
        image, note = vips.cmyk_to_srgb(image, request.name)
        found = replace(found, converted=True, warnings=(*found.warnings, note))
    strips = strips_of(image, request.name)
    raster = raster_of_strips(strips, None, found, "jpeg", request.profile)
    raster = replace(raster, quality=quality)
    if raster.converted or raster.preview is None:
        return raster
    stored = _stored_luma(data, (image.height, image.width))
    reading = read_metadata(found, plan_of(found, True, request.profile))
    return raster if stored is None else replace(raster, luma=upright(stored, reading.orientation))


def _stored_luma(data: bytes, shape: tuple[int, ...]) -> Plane8 | None:
    """The luma that the file holds, which may lie outside of what RGB holds and is clipped there.

    None where it cannot be had alone.
    """
    import imagecodecs

    try:
        luma = imagecodecs.jpeg8_decode(data, outcolorspace="GRAYSCALE")
    except (imagecodecs.Jpeg8Error, ValueError):
        return None
    return luma if luma.shape == shape and luma.dtype == np.uint8 else None


def _read_segments(data: bytes) -> Found:
    exif = xmp = iptc = dpi = None
    profile: list[bytes] = []
    extended: list[bytes] = []
    comments: list[tuple[str, str]] = []
    warnings: list[str] = []
    lost: set[str] = set()
    for marker, body in parts.segments(data):
        if marker == parts.APP1 and body.startswith(parts.EXIF):
            exif = exif or body
        elif marker == parts.APP1 and body.startswith(parts.XMP):
            xmp = xmp or body[len(parts.XMP) :]
        elif marker == parts.APP1 and body.startswith(parts.EXTENDED_XMP):
            extended.append(body[len(parts.EXTENDED_XMP) :])
        elif marker == parts.APP2 and body.startswith(parts.ICC):
            profile.append(body[len(parts.ICC) :])
        elif marker == parts.APP2 and body.startswith(b"MPF\0"):
            warnings.append("only the first of several pictures in the file was restored")
        elif marker == parts.APP13 and body.startswith(parts.PHOTOSHOP):
            iptc = iptc or parts.iptc_of(body[len(parts.PHOTOSHOP) :])
            if parts.has_other_resources(body[len(parts.PHOTOSHOP) :]):
                lost.add("Photoshop's own resources")
        elif marker == parts.APP0 and body.startswith(b"JFIF\0"):
            dpi = dpi or parts.density_of(body[5:])
        elif marker == parts.COM:
            comments.append(("", body.decode("utf-8", "surrogateescape")))
        elif marker in parts.APPLICATIONS and not body.startswith(parts.REPLACED):
            lost.add(f"APP{marker - parts.APP0} segments")
    icc = parts.icc_of(profile)
    if profile and icc is None:
        warnings.append("the ICC profile is incomplete and was dropped")
    if lost:
        warnings.append(f"not carried over: {', '.join(sorted(lost))}")
    if extended:
        whole = parts.extended_xmp_of(extended, xmp)
        xmp, joined = join_extended(xmp, whole)
        warnings.extend([] if joined else ["extended XMP is broken or hostile and was dropped"])
    return Found(exif, icc, xmp, iptc, dpi, tuple(comments), warnings=tuple(warnings))


def write_jpeg(picture: Picture, raster: Raster, metadata: Metadata, target: BinaryIO) -> None:
    """JPEG 4:4:4 at the quality that keeps luma within 1 code value; without alpha."""
    planes = np.empty((3, *picture.shape[:2]), np.uint8)
    top = 0
    for strip in picture.rows(_STRIP):
        rows = slice(top, top + len(strip))
        planes[0, rows] = luma_of(strip)
        codes = np.rint(chroma_of(strip.astype(np.float32) / np.float32(255)) * 255 + 128)
        planes[1:, rows] = np.moveaxis(np.clip(codes, 0, 255), 2, 0)
        top += len(strip)
    target.write(encode_jpeg(planes[0], planes[1], planes[2], metadata, FAITHFUL))
