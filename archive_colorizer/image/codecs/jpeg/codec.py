"""Decode JPEG to grey and encode it from Y, Cb and Cr planes, without RGB at full size."""

import math
import struct
from dataclasses import replace
from functools import cache
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import ByteArray, compute_chroma, compute_luma
from archive_colorizer.color.strip_image import StripImage
from archive_colorizer.errors import DamagedPicture, ResultUnwritable, UnsupportedPicture
from archive_colorizer.image.codecs.jpeg import segments as parts
from archive_colorizer.image.codecs.jpeg.metadata import (
    insert_metadata,
    read_metadata,
    read_orientation,
)
from archive_colorizer.image.codecs.planes import STRIP_ROWS, is_grey
from archive_colorizer.image.codecs.preview import PREVIEW_SIDE, make_preview
from archive_colorizer.image.codecs.strips import build_raster, decode_image, open_image
from archive_colorizer.image.metadata.model import SourceMetadata, turn_upright
from archive_colorizer.image.raster import DecodeOptions, Metadata, Raster

FAITHFUL_QUALITY: Final = 100
"""The quality at which re-encoded luma stays within 1 code value.

Measured on 37 pictures saved at 75 to 100: the worst error is 1 (once 2, in a few pixels) at
100, 2 at 99 and 4 at 98.  Files grow to 1.0 to 3.3 times the source's size.  The source's own
table keeps the size with a mean error of 0.002 to 0.4, but up to 30 in blocks whose values
were clipped at black or white.
"""

_MIN_PREVIEW_SIDE: Final = PREVIEW_SIDE * 3 // 4

_IJG_LUMA: Final = (
    *(16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40),
    *(26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57, 51),
    *(56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87),
    *(95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99),
)
"""ITU-T T.81, table K.1, in zigzag order."""


def decode_jpeg(data: bytes, request: DecodeOptions) -> Raster:
    """Decode to luma, with a small RGB preview if the file has three components.

    CMYK and YCCK are converted to sRGB.  Raises PictureTooLarge before decoding,
    DamagedPicture and UnsupportedPicture.
    """
    name = request.name
    request.check_parts(parts.count_segments(data))
    frame = parts.JpegFrame.read(data, name)
    request.check_size(frame.width, frame.height)
    if frame.precision != 8:
        raise UnsupportedPicture(f"{name}: a JPEG of {frame.precision} bit; convert it to TIFF")
    if len(data) < frame.compute_minimum_bytes():
        raise DamagedPicture(f"{name}: too short for its {frame.width} x {frame.height} pixels")
    request.check_scans(parts.count_scans(data), frame.width, frame.height)
    quality = _estimate_quality(data, frame.luma_table)
    metadata = read_metadata(data)
    plan = metadata.plan_conversion(frame.components == 3, request.profile)
    # A profile applies to colors and cannot be applied to luma alone.
    has_doubtful_profile = plan.warnings and (metadata.icc or b"")[16:20] == b"GRAY"
    has_profile = frame.components == 3 and (plan.source or has_doubtful_profile)
    if frame.components not in (1, 3) or has_profile:
        return _decode_with_vips(data, metadata, quality, request)
    try:
        luma, preview = _decode_planes(data, frame)
    except ValueError as error:
        if "subsampling" not in str(error):
            note = f"the JPEG is faulty, parts of the picture may be missing ({error})"
            metadata = metadata.add_warning(note)
        return _decode_with_vips(data, metadata, quality, request)
    if preview is None:
        grey = build_raster(luma, None, metadata, "jpeg", request.profile)
        as_coded = frame.is_grey_baseline and not grey.converted and read_orientation(data) == 1
        return replace(grey, quality=quality, as_coded=as_coded)
    raster = Raster(luma=luma, format="jpeg", preview=preview, quality=quality)
    return metadata.prepare(plan).attach_to(raster)


def encode_jpeg(
    y: ByteArray, cb: ByteArray, cr: ByteArray, metadata: Metadata, quality: int
) -> bytes:
    """Encode full-range BT.601 planes as a baseline JFIF file.

    y: H x W uint8.  cb, cr: uint8 of ceil(H/2) x ceil(W/2) for 4:2:0, or H x W for 4:4:4.
    quality: 1 to 100, or 0 for `FAITHFUL_QUALITY`.  Raises ResultUnwritable.
    """
    import simplejpeg

    chroma = [np.ascontiguousarray(plane) for plane in (cb, cr)]
    luma = _pad_to_even(y, even=cb.shape != y.shape)
    try:
        jpeg = simplejpeg.encode_jpeg_yuv_planes(luma, *chroma, quality=quality or FAITHFUL_QUALITY)
    except ValueError as error:
        height, width = y.shape
        raise ResultUnwritable(f"a JPEG of {width} x {height} cannot be written: {error}") from None
    return insert_metadata(jpeg, metadata)


def _pad_to_even(y: ByteArray, even: bool) -> ByteArray:
    """Return a view of a larger plane if subsampling needs even sides.

    libjpeg-turbo reads whole blocks of 2 x 2 luma samples, also past the last odd row and
    column, where memory must repeat the edge.
    """
    rows, columns = y.shape[0] % 2, y.shape[1] % 2
    if not even or not (rows or columns):
        return np.ascontiguousarray(y)
    return np.pad(y, ((0, rows), (0, columns)), mode="edge")[: y.shape[0], : y.shape[1]]


def _estimate_quality(data: bytes, table: int) -> int:
    """Estimate the IJG quality (1 to 100) of a luma table: equal, or the lowest as fine."""
    divisors = _read_quantization_table(data, table)
    if divisors is None:
        return FAITHFUL_QUALITY
    tables = _compute_luma_tables()
    for fit in (tables == divisors, tables <= divisors):
        matches = np.flatnonzero(fit.all(axis=1))
        if matches.size:
            return int(matches[0]) + 1
    return FAITHFUL_QUALITY


def _read_quantization_table(data: bytes, number: int) -> tuple[int, ...] | None:
    """Read the 64 divisors of a table in zigzag order; None if the table is not defined."""
    divisors: tuple[int, ...] | None = None
    for marker, body in parts.iterate_segments(data):
        at = 0
        while marker == parts.DQT and at < len(body):
            wide, table_number = body[at] >> 4, body[at] & 15
            size = 128 if wide else 64
            content = body[at + 1 : at + 1 + size]
            if table_number == number and len(content) == size:
                divisors = struct.unpack(">64H" if wide else ">64B", content)
            at += 1 + size
    return divisors


def get_mean_divisor(quality: int) -> int:
    """Return the divisor of luma means at this IJG quality, in units of 1/8 code value."""
    return int(_compute_luma_tables()[quality - 1, 0])


@cache
def _compute_luma_tables() -> npt.NDArray[np.int64]:
    """Return 100 x 64: the luma tables of the qualities 1 to 100, in zigzag order."""
    quality = np.arange(1, 101)[:, None]
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    tables: Any = np.clip((np.array(_IJG_LUMA) * scale + 50) // 100, 1, 255)
    return np.asarray(tables, np.int64)


def _decode_planes(data: bytes, frame: parts.JpegFrame) -> tuple[ByteArray, ByteArray | None]:
    """Decode luma and preview with libjpeg-turbo; raises ValueError for the slightest fault."""
    import simplejpeg

    luma = simplejpeg.decode_jpeg(data, "GRAY")[..., 0]
    if frame.components == 1:
        return luma, None
    # A scale of 1/8, enough for 12 megapixels, needs no transform of blocks.
    share = min(1.0, _MIN_PREVIEW_SIDE / max(frame.width, frame.height))
    width, height = (math.ceil(side * share) for side in (frame.width, frame.height))
    rgb = simplejpeg.decode_jpeg(data, "RGB", min_width=width, min_height=height)
    small = make_preview(rgb)
    return luma, None if is_grey(small) else small


def _decode_with_vips(
    data: bytes, metadata: SourceMetadata, quality: int, request: DecodeOptions
) -> Raster:
    """Decode CMYK, odd sampling, slight faults and colors to convert; refuses cut files."""
    image = open_image(data, "jpeg", request)
    raster = replace(decode_image(image, metadata, "jpeg", request), quality=quality)
    if raster.converted or raster.preview is None:
        return raster
    stored = _decode_luma(data, (image.height, image.width))
    if stored is None:
        return raster
    reading = metadata.prepare(metadata.plan_conversion(True, request.profile))
    return replace(raster, luma=turn_upright(stored, reading.orientation))


def _decode_luma(data: bytes, shape: tuple[int, ...]) -> ByteArray | None:
    """Decode the file's luma, which conversion to RGB may clip; None if that is impossible."""
    import imagecodecs

    try:
        luma = imagecodecs.jpeg8_decode(data, outcolorspace="GRAYSCALE")
    except (imagecodecs.Jpeg8Error, ValueError):
        return None
    return luma if luma.shape == shape and luma.dtype == np.uint8 else None


def write_jpeg(picture: StripImage, raster: Raster, metadata: Metadata, target: BinaryIO) -> None:
    """Write JPEG 4:4:4 at the quality that keeps luma within 1 code value; without alpha."""
    planes = np.empty((3, *picture.shape[:2]), np.uint8)
    top = 0
    for strip in picture.iterate_rows(STRIP_ROWS):
        rows = slice(top, top + len(strip))
        planes[0, rows] = compute_luma(strip)
        codes = np.rint(compute_chroma(strip.astype(np.float32) / np.float32(255)) * 255 + 128)
        planes[1:, rows] = np.moveaxis(np.clip(codes, 0, 255), 2, 0)
        top += len(strip)
    target.write(encode_jpeg(planes[0], planes[1], planes[2], metadata, FAITHFUL_QUALITY))
