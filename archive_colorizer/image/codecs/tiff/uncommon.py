"""TIFF that libvips does not read: odd depths, floating point, separate planes in tiles."""

import struct
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import Plane
from archive_colorizer.errors import DamagedPicture, UnsupportedPicture
from archive_colorizer.image.codecs.planes import channel, inverted, straight, widened
from archive_colorizer.image.codecs.strips import raster_of
from archive_colorizer.image.metadata import exif as tiff
from archive_colorizer.image.metadata.model import Found
from archive_colorizer.image.raster import Raster, Request
from archive_colorizer.storage.file_view import Stored, opened

_BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _ROWS = 258, 259, 262, 277, 278
_PLANAR, _TILE_WIDTH, _TILE_LENGTH, _FORMAT = 284, 322, 323, 339
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_FLOAT: Final = 3
_ASSOCIATED: Final = 1
_OVERSHOOT: Final = 0.05
"""Resampling leaves values a little outside of 0 to 1, which are clipped; more is no rounding."""

_STRIP: Final = 256
_FAULTS: Final = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    NotImplementedError,
    struct.error,
)
"""What a decoder says of damage, in words of its own."""


def is_rare(stream: tiff.TiffStream, page: tiff.Directory) -> bool:
    """Whether a page is of a kind that is read here and not by libvips."""
    bits = _bits(stream, page)
    if stream.number(page, _FORMAT, 1) == _FLOAT or bits not in (0, 1, 2, 4, 8, 16):
        return True
    in_color = stream.number(page, _PHOTOMETRIC, 0) == _RGB
    tiled_planes = stream.number(page, _PLANAR, 1) == 2 and _TILE_WIDTH in page.entries
    return (in_color and 0 < bits < 8) or (tiled_planes and stream.number(page, _SAMPLES, 1) > 1)


def read_rare(
    stream: tiff.TiffStream, page: tiff.Directory, at: int, found: Found, request: Request
) -> Raster:
    """Decode page number `at` (as the file counts) by tifffile.

    Samples of 9 to 15 bit are spread over 16 and fewer than 8 over 8; floating point of 0
    to 1 becomes 16 bit.  Raises DamagedPicture and UnsupportedPicture.
    """
    kind = _checked_kind(stream, page, request.name)
    samples = _decoded(stream.data, at, request.name)
    if samples.shape[:2] != (stream.number(page, 257, 0), stream.number(page, 256, 0)):
        raise DamagedPicture(f"{request.name}: its pixels do not fit its header; it is corrupt")
    whole = _whole_numbers(samples, _bits(stream, page), request.name)
    colors = 3 if kind == _RGB else 1
    color = whole[..., :3] if colors == 3 else channel(whole, 0)
    alpha, role = None, stream.number(page, 338, 0)
    if whole.shape[2] > colors and role in (1, 2):
        alpha = channel(whole, colors)
        color = straight(color, alpha) if role == _ASSOCIATED else color
    if kind == _WHITE_IS_ZERO:
        color = inverted(color)
    return raster_of(color, alpha, found, "tiff", request.profile)


def _checked_kind(stream: tiff.TiffStream, page: tiff.Directory, name: str) -> int:
    kind, samples = stream.number(page, _PHOTOMETRIC, -1), stream.number(page, _SAMPLES, 1)
    if kind not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB) or not 1 <= samples <= 8:
        raise UnsupportedPicture(
            f"{name}: a rare kind of TIFF (photometric interpretation {kind}, {samples} samples a "
            "pixel, in this layout); convert it to grey or RGB of 8 or 16 bit"
        )
    if samples < 3 and kind == _RGB:
        raise DamagedPicture(f"{name}: RGB with {samples} samples a pixel; it is corrupt")
    _check_segments(stream, page, name)
    return kind


def _check_segments(stream: tiff.TiffStream, page: tiff.Directory, name: str) -> None:
    """All strips or tiles are there and lie in the file; the decoder would make up missing ones.

    Raises DamagedPicture.
    """
    width, height = stream.number(page, 256, 0), stream.number(page, 257, 0)
    across, tags = 1, (273, 279)
    down = -(-height // max(1, stream.number(page, _ROWS, height)))
    if _TILE_WIDTH in page.entries:
        tags = (324, 325)
        across = -(-width // max(1, stream.number(page, _TILE_WIDTH, 0)))
        down = -(-height // max(1, stream.number(page, _TILE_LENGTH, 0)))
    samples = stream.number(page, _SAMPLES, 1)
    planes = samples if stream.number(page, _PLANAR, 1) == 2 else 1
    places, sizes = (stream.numbers(page.entries.get(tag)) for tag in tags)
    whole = across * down * planes == len(places) == len(sizes)
    if not whole or not all(
        0 < at <= at + size <= len(stream.data) for at, size in zip(places, sizes, strict=True)
    ):
        raise DamagedPicture(f"{name}: cut or corrupt, a part of its pixels is missing")
    bits = width * height * samples * _bits(stream, page)
    if stream.number(page, _COMPRESSION, 1) == 1 and sum(sizes) * 8 < bits:
        raise DamagedPicture(f"{name}: cut or corrupt, too few bytes for its pixels")


def _decoded(data: Stored, at: int, name: str) -> npt.NDArray[Any]:
    """H x W x samples at the file's own type."""
    import tifffile

    try:
        with opened(data) as stream, tifffile.TiffFile(stream, name=name, _multifile=False) as file:
            page: Any = file.pages[at]
            samples = np.asarray(page.asarray(maxworkers=1))
            planar = page.planarconfig == 2 and samples.ndim == 3
    except _FAULTS as error:
        raise DamagedPicture(f"{name}: cut, corrupt or of a rare kind ({error})") from None
    if samples.ndim not in (2, 3):
        raise UnsupportedPicture(f"{name}: a picture of {samples.ndim} dimensions; convert it")
    cube = np.moveaxis(samples, 0, 2) if planar else samples
    return cube.reshape(*cube.shape[:2], -1)


def _whole_numbers(samples: npt.NDArray[Any], bits: int, name: str) -> Plane:
    if samples.dtype.kind == "f":
        return _from_float(samples, name)
    if bits in (8, 16):
        return cast(Plane, samples.astype(f"u{bits // 8}", copy=False))
    if bits > 16 or samples.dtype.kind != "u" or samples.itemsize > 2:
        raise UnsupportedPicture(f"{name}: samples of {bits} bit; convert it to 16 bit")
    return widened(samples, bits)


def _from_float(samples: npt.NDArray[Any], name: str) -> Plane:
    least, most = float(samples.min()), float(samples.max())
    if not (least >= -_OVERSHOOT and most <= 1 + _OVERSHOOT):
        raise UnsupportedPicture(
            f"{name}: floating-point samples from {least:g} to {most:g}, where 0 to 1 is "
            "expected; scale it or convert it to 16 bit"
        )
    result = np.empty(samples.shape, np.uint16)
    for top in range(0, samples.shape[0], _STRIP):
        part = samples[top : top + _STRIP].astype(np.float64)
        result[top : top + _STRIP] = np.rint(np.clip(part, 0, 1) * 65535)
    return result


def _bits(stream: tiff.TiffStream, page: tiff.Directory) -> int:
    """Bits a sample, or 0 where the samples of a pixel differ."""
    # Some writers state one more than there are.
    count = max(1, stream.number(page, _SAMPLES, 1))
    stated = set(stream.numbers(page.entries.get(_BITS))[:count]) or {1.0}
    return int(stated.pop()) if len(stated) == 1 else 0
