"""Read TIFF: with libvips, or with tifffile what libvips cannot read.

tifffile reads odd depths, floating point, and separate planes in tiles.
"""

import io
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import Plane
from archive_colorizer.errors import DamagedPicture, UnsupportedPicture
from archive_colorizer.image.codecs.planes import (
    STRIP_ROWS,
    divide_by_alpha,
    extract_channel,
    widen_samples,
)
from archive_colorizer.image.codecs.strips import (
    PILLOW_ERRORS,
    build_raster,
    decode_image,
    open_image,
)
from archive_colorizer.image.codecs.tiff.tags import TILE_LENGTH, TILE_WIDTH, TiffPage
from archive_colorizer.image.metadata.model import SourceMetadata
from archive_colorizer.image.raster import DecodeOptions, Raster
from archive_colorizer.storage.file_view import FileContent, open_content

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_SAMPLES, _ROWS, _PLANAR, _EXTRA_SAMPLES, _FORMAT = 277, 278, 284, 338, 339
_STRIP_TAGS, _TILE_TAGS = (273, 279), (324, 325)
_OLD_JPEG: Final = 6
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_FLOAT: Final = 3
_ASSOCIATED, _UNASSOCIATED = 1, 2
_OVERSHOOT: Final = 0.05
"""Resampling leaves values slightly outside 0 to 1, which are clipped; more is another scale."""

_TIFFFILE_ERRORS: Final = (*PILLOW_ERRORS, ArithmeticError, RuntimeError)


def read_tiff(data: FileContent, request: DecodeOptions) -> Raster:
    """Read a page of a TIFF: 1 to 16 bit and float, grey, RGB, palette, YCbCr, CMYK."""
    page = TiffPage.open(data, request)
    metadata = page.read_metadata(request)
    if page.read_number(_COMPRESSION, 1) == _OLD_JPEG:
        return _read_old_jpeg(data[:], page.at, metadata, request)
    if _is_uncommon(page):
        return _read_uncommon(page, metadata, request)
    image = open_image(page.shrink_oversized_metadata(), "tiff", request, page.at)
    has_alpha = page.read_number(_EXTRA_SAMPLES) in (_ASSOCIATED, _UNASSOCIATED)
    return decode_image(image, metadata, "tiff", request, has_alpha)


def _read_old_jpeg(
    data: bytes, at: int, metadata: SourceMetadata, request: DecodeOptions
) -> Raster:
    """Read old-style JPEG in TIFF (before 1995), which libvips decodes to black without error."""
    from PIL import TiffImagePlugin

    try:
        # Image.open would apply its own limit on pixels instead of ours.
        with TiffImagePlugin.TiffImageFile(io.BytesIO(data)) as image:
            image.seek(at)
            image.load()
            samples = np.asarray(image.convert("RGB"))
    except PILLOW_ERRORS as error:
        raise DamagedPicture(f"{request.name}: cut or corrupt ({error})") from None
    note = "old-style JPEG was read leniently: check that the picture is complete"
    return build_raster(samples, None, metadata.add_warning(note), "tiff", request.profile)


def _is_uncommon(page: TiffPage) -> bool:
    bits = _get_bits(page)
    if page.read_number(_FORMAT, 1) == _FLOAT or bits not in (0, 1, 2, 4, 8, 16):
        return True
    in_color = page.read_number(_PHOTOMETRIC) == _RGB
    tiled_planes = page.read_number(_PLANAR, 1) == 2 and TILE_WIDTH in page.directory.entries
    return (in_color and 0 < bits < 8) or (tiled_planes and page.read_number(_SAMPLES, 1) > 1)


def _read_uncommon(page: TiffPage, metadata: SourceMetadata, request: DecodeOptions) -> Raster:
    """Decode a page with tifffile.

    Samples of 9 to 15 bit are scaled to 16 and fewer than 8 to 8; floating point of 0 to 1
    becomes 16 bit.  Raises DamagedPicture and UnsupportedPicture.
    """
    sides = page.read_number(_WIDTH), page.read_number(_HEIGHT)
    request.check_whole(*sides, len(page.stream.data))
    photometric = _check_kind(page, request.name)
    samples = _decode_pixels(page, request.name)
    if samples.shape[:2] != (page.read_number(_HEIGHT), page.read_number(_WIDTH)):
        raise DamagedPicture(f"{request.name}: its pixels do not fit its header; it is corrupt")
    integers = _convert_to_integers(samples, _get_bits(page), request.name)
    colors = 3 if photometric == _RGB else 1
    color = integers[..., :3] if colors == 3 else extract_channel(integers, 0)
    alpha, role = None, page.read_number(_EXTRA_SAMPLES)
    if integers.shape[2] > colors and role in (_ASSOCIATED, _UNASSOCIATED):
        alpha = extract_channel(integers, colors)
        color = divide_by_alpha(color, alpha) if role == _ASSOCIATED else color
    if photometric == _WHITE_IS_ZERO:
        color = ~color
    return build_raster(color, alpha, metadata, "tiff", request.profile)


def _check_kind(page: TiffPage, name: str) -> int:
    photometric, samples = page.read_number(_PHOTOMETRIC, -1), page.read_number(_SAMPLES, 1)
    if photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB) or not 1 <= samples <= 8:
        raise UnsupportedPicture(
            f"{name}: a rare kind of TIFF (photometric interpretation {photometric}, {samples} "
            "samples a pixel, in this layout); convert it to grey or RGB of 8 or 16 bit"
        )
    if samples < 3 and photometric == _RGB:
        raise DamagedPicture(f"{name}: RGB with {samples} samples a pixel; it is corrupt")
    _check_segments(page, name)
    return photometric


def _check_segments(page: TiffPage, name: str) -> None:
    """Raise DamagedPicture for missing strips or tiles, which the decoder would invent."""
    width, height = page.read_number(_WIDTH), page.read_number(_HEIGHT)
    across, tags = 1, _STRIP_TAGS
    down = -(-height // max(1, page.read_number(_ROWS, height)))
    if TILE_WIDTH in page.directory.entries:
        tags = _TILE_TAGS
        across = -(-width // max(1, page.read_number(TILE_WIDTH)))
        down = -(-height // max(1, page.read_number(TILE_LENGTH)))
    samples = page.read_number(_SAMPLES, 1)
    planes = samples if page.read_number(_PLANAR, 1) == 2 else 1
    offsets, sizes = (page.read_numbers(tag) for tag in tags)
    if not across * down * planes == len(offsets) == len(sizes) or not all(
        0 < at <= at + size <= len(page.stream.data)
        for at, size in zip(offsets, sizes, strict=True)
    ):
        raise DamagedPicture(f"{name}: cut or corrupt, a part of its pixels is missing")
    bits = width * height * samples * _get_bits(page)
    if page.read_number(_COMPRESSION, 1) == 1 and sum(sizes) * 8 < bits:
        raise DamagedPicture(f"{name}: cut or corrupt, too few bytes for its pixels")


def _decode_pixels(page: TiffPage, name: str) -> npt.NDArray[Any]:
    """Decode to H x W x samples of the file's own type."""
    from tifffile import TiffFile

    try:
        with (
            open_content(page.stream.data) as stream,
            TiffFile(stream, name=name, _multifile=False) as file,
        ):
            decoder: Any = file.pages[page.at]
            samples = np.asarray(decoder.asarray(maxworkers=1))
            planar = decoder.planarconfig == 2 and samples.ndim == 3
    except _TIFFFILE_ERRORS as error:
        raise DamagedPicture(f"{name}: cut, corrupt or of a rare kind ({error})") from None
    if samples.ndim not in (2, 3):
        raise UnsupportedPicture(f"{name}: a picture of {samples.ndim} dimensions; convert it")
    cube = np.moveaxis(samples, 0, 2) if planar else samples
    return cube.reshape(*cube.shape[:2], -1)


def _convert_to_integers(samples: npt.NDArray[Any], bits: int, name: str) -> Plane:
    if samples.dtype.kind == "f":
        return _convert_float(samples, name)
    if bits in (8, 16):
        return cast(Plane, samples.astype(f"u{bits // 8}", copy=False))
    if bits > 16 or samples.dtype.kind != "u" or samples.itemsize > 2:
        raise UnsupportedPicture(f"{name}: samples of {bits} bit; convert it to 16 bit")
    return widen_samples(samples, bits)


def _convert_float(samples: npt.NDArray[Any], name: str) -> Plane:
    least, most = float(samples.min()), float(samples.max())
    if not (least >= -_OVERSHOOT and most <= 1 + _OVERSHOOT):
        raise UnsupportedPicture(
            f"{name}: floating-point samples from {least:g} to {most:g}, where 0 to 1 is "
            "expected; scale it or convert it to 16 bit"
        )
    result = np.empty(samples.shape, np.uint16)
    for top in range(0, samples.shape[0], STRIP_ROWS):
        part = samples[top : top + STRIP_ROWS].astype(np.float64)
        result[top : top + STRIP_ROWS] = np.rint(np.clip(part, 0, 1) * 65535)
    return result


def _get_bits(page: TiffPage) -> int:
    """Return the bits per sample, or 0 if the samples of a pixel differ."""
    # Some writers state one value too many.
    count = max(1, page.read_number(_SAMPLES, 1))
    stated = set(page.read_numbers(_BITS, count)) or {1.0}
    return int(stated.pop()) if len(stated) == 1 else 0
