"""Decode a finished file again, by another library than the one that encoded it, and compare.

OpenCV decodes all formats except TIFF (libvips, since OpenCV multiplies colors by alpha), PNG
(zlib at 16 bit, Pillow at 8) and BMP (Pillow).
"""

import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO

import cv2
import numpy as np

from archive_colorizer.color.space import Plane, compute_luma
from archive_colorizer.errors import DamagedPicture, ResultUnsound, SourceError
from archive_colorizer.image.codecs import vips
from archive_colorizer.image.codecs.jpeg.codec import get_mean_divisor
from archive_colorizer.image.codecs.planes import round_to_8_bit
from archive_colorizer.image.codecs.png.rows import (
    BrokenPngError,
    UnsupportedPngError,
    decode_png_strips,
)
from archive_colorizer.image.codecs.strips import Strips
from archive_colorizer.image.luma_difference import LumaDifference
from archive_colorizer.image.raster import Format
from archive_colorizer.storage.file_view import FileContent, open_content

_BLOCK = 8
_BIT_DEPTH = 24
"""Offset of the bit depth in a PNG."""
_ALLOWED = 1
_ALLOWED_JPEG = 2
"""Code values; see `jpeg.FAITHFUL_QUALITY` for the second."""


def check_result(
    content: FileContent, kind: Format, luma: Plane, name: str, quality: int = 0
) -> None:
    """Raise ResultUnsound unless `content` shows a picture of this luma, upright.

    luma: H x W at its own depth; compared in 8 bit if the file holds 8.  quality: of a JPEG
    whose quality the user chose, which is compared by the mean of blocks, to within the loss at
    that quality; 0 for results that keep luma.
    """
    allowed = _ALLOWED_JPEG if kind == "jpeg" else _ALLOWED
    try:
        if quality:
            allowed = math.ceil(get_mean_divisor(quality) / _BLOCK) + _BLOCK
            likeness = _compare_blocks(_decode_with_opencv(content, cv2.IMREAD_GRAYSCALE), luma)
        else:
            likeness = _compare(content, kind, luma, name)
    except (SourceError, BrokenPngError, cv2.error) as error:
        raise ResultUnsound(
            f"{name}: its result cannot be read back ({error}); nothing was kept, run again and, "
            "if that helps, check memory and disk"
        ) from None
    if likeness.maximum > allowed:
        raise ResultUnsound(
            f"{name}: its result does not show what was to be written ({likeness.summary}); "
            "nothing was kept, run again and, if that helps, check memory and disk"
        )


def _compare(content: FileContent, kind: Format, luma: Plane, name: str) -> LumaDifference:
    """Compare the whole file; TIFF and plain PNG strip by strip."""
    if kind == "tiff":
        return _compare_strips(Strips.from_vips(vips.open_picture(content, kind, name), name), luma)
    if kind == "png":
        with suppress(UnsupportedPngError):
            return _compare_strips(decode_png_strips(content), luma)
    if kind == "bmp" or (kind == "png" and content[_BIT_DEPTH : _BIT_DEPTH + 1] == b"\x08"):
        with open_content(content) as file, _open_with_pillow(file, kind) as image:
            return _compare_strips(Strips.from_pillow(image), luma)
    # OpenCV returns the stored luma of a JPEG, turned as its EXIF says.
    how = cv2.IMREAD_GRAYSCALE if kind == "jpeg" else cv2.IMREAD_UNCHANGED
    picture = _decode_with_opencv(content, how)
    samples = picture[..., None] if picture.ndim == 2 else picture[..., 2::-1]
    return _compare_strips(Strips.from_samples(samples), luma)


def _compare_strips(shown: Strips, luma: Plane) -> LumaDifference:
    is_reduced = shown.dtype == np.uint8 and luma.dtype == np.uint16
    depth = shown.dtype if is_reduced else luma.dtype
    if (shown.shape, shown.dtype) != (luma.shape, depth):
        return LumaDifference.from_shapes(luma.shape, depth, shown.shape, shown.dtype)

    def iterate_pairs() -> Iterator[tuple[Plane, Plane]]:
        top = 0
        for strip in shown.iterator:
            expected = luma[top : top + len(strip)]
            yield round_to_8_bit(expected) if is_reduced else expected, _extract_luma(strip)
            top += len(strip)

    return LumaDifference.from_parts(iterate_pairs())


def _extract_luma(samples: Any) -> Plane:
    if samples.shape[2] < 3:
        return np.ascontiguousarray(samples[..., 0])
    return compute_luma(samples[..., :3])


def _open_with_pillow(file: BinaryIO, kind: Format) -> Any:
    """Load RGB or RGBA of 8 bit, for which OpenCV would take twelve bytes a pixel."""
    from PIL import BmpImagePlugin, PngImagePlugin

    # Image.open has a limit on pixels of its own; the plugins have none.
    plugin: Any = BmpImagePlugin.BmpImageFile if kind == "bmp" else PngImagePlugin.PngImageFile
    try:
        image = plugin(file)
        image.load()
    except (OSError, SyntaxError, ValueError, LookupError, struct.error, zlib.error) as error:
        raise DamagedPicture(str(error)) from None
    return image


def _decode_with_opencv(content: FileContent, flags: int) -> Any:
    """Decode to H x W or H x W x C in the order B, G, R; raises DamagedPicture and cv2.error."""
    picture = cv2.imdecode(np.frombuffer(content[:], np.uint8), flags)
    if picture is None:
        raise DamagedPicture("OpenCV cannot decode it")
    return picture


def _compare_blocks(shown: Plane, luma: Plane) -> LumaDifference:
    if shown.shape != luma.shape or shown.dtype != luma.dtype:
        return LumaDifference.from_shapes(luma.shape, luma.dtype, shown.shape, shown.dtype)
    return LumaDifference.compare(_average_blocks(luma), _average_blocks(shown))


def _average_blocks(luma: Plane) -> Plane:
    """Average every 8 x 8 pixels, without the remainder at the right and the bottom."""
    height, width = (max(1, side // _BLOCK) for side in luma.shape)
    inner = luma[: height * _BLOCK, : width * _BLOCK]
    means: Any = cv2.resize(inner, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(means, dtype=np.uint8)
