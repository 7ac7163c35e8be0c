"""Proof: a finished file decoded again, by libraries that had no part in its making.

OpenCV decodes what libvips, Pillow, libjpeg-turbo, OpenJPEG and we ourselves have encoded;
TIFF, which tifffile encodes, is left to libvips, since OpenCV multiplies colors by alpha, and
PNG, which libvips encodes, to zlib at 16 bit, and to Pillow at 8, as is BMP.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO

import cv2
import numpy as np

from archive_colorizer.color.space import Plane, luma_of
from archive_colorizer.errors import DamagedPicture, ResultUnsound, SourceError
from archive_colorizer.image.codecs import vips
from archive_colorizer.image.codecs.jpeg.codec import coarseness
from archive_colorizer.image.codecs.planes import rounded
from archive_colorizer.image.codecs.png.rows import BrokenPng, OtherPng, strips_of_png
from archive_colorizer.image.codecs.strips import Strips, strips_of, strips_of_image
from archive_colorizer.image.luma_difference import (
    Likeness,
    likeness_of_parts,
    luma_likeness,
    unlike,
)
from archive_colorizer.image.raster import Format
from archive_colorizer.storage.file_view import Stored, opened

_BLOCK = 8
_BIT_DEPTH = 24
"""Where a PNG says it."""
_ALLOWED = 1
_ALLOWED_JPEG = 2
"""Code values; see `jpeg.FAITHFUL` for the second."""


def check_result(content: Stored, kind: Format, luma: Plane, name: str, quality: int = 0) -> None:
    """Raise ResultUnsound unless `content` shows a picture of this luma, upright.

    luma: H x W, what was to be written, at its own depth; compared in 8 bit where the file
    holds 8.  quality: of a JPEG whose quality was chosen, which is compared block by block
    then, to within what such a JPEG loses; 0 for results that keep luma.
    """
    allowed = _ALLOWED_JPEG if kind == "jpeg" else _ALLOWED
    try:
        if quality:
            allowed = math.ceil(coarseness(quality) / _BLOCK) + _BLOCK
            likeness = _likeness_in_blocks(_by_opencv(content, cv2.IMREAD_GRAYSCALE), luma)
        else:
            likeness = _likeness(content, kind, luma, name)
    except (SourceError, BrokenPng, cv2.error) as error:
        raise ResultUnsound(
            f"{name}: its result cannot be read back ({error}); nothing was kept, run again and, "
            "if that helps, check memory and disk"
        ) from None
    if likeness.difference > allowed:
        raise ResultUnsound(
            f"{name}: its result does not show what was to be written ({likeness.said}); "
            "nothing was kept, run again and, if that helps, check memory and disk"
        )


def _likeness(content: Stored, kind: Format, luma: Plane, name: str) -> Likeness:
    """Of what the file shows: of TIFF and plain PNG strip by strip."""
    if kind == "tiff":
        return _likeness_to(strips_of(vips.open_picture(content, kind, name), name), luma)
    if kind == "png":
        with suppress(OtherPng):
            return _likeness_to(strips_of_png(content), luma)
    if kind == "bmp" or (kind == "png" and content[_BIT_DEPTH : _BIT_DEPTH + 1] == b"\x08"):
        with opened(content) as file, _by_pillow(file, kind) as image:
            return _likeness_to(strips_of_image(image), luma)
    # A JPEG's luma is stored as such, and turned as its EXIF says when it is read like this.
    how = cv2.IMREAD_GRAYSCALE if kind == "jpeg" else cv2.IMREAD_UNCHANGED
    picture = _by_opencv(content, how)
    samples = picture[..., None] if picture.ndim == 2 else picture[..., 2::-1]
    return _likeness_to(Strips.of(samples), luma)


def _likeness_to(shown: Strips, luma: Plane) -> Likeness:
    is_reduced = shown.dtype == np.uint8 and luma.dtype == np.uint16
    depth = shown.dtype if is_reduced else luma.dtype
    if (shown.shape, shown.dtype) != (luma.shape, depth):
        return unlike(luma.shape, depth, shown.shape, shown.dtype)

    def pairs() -> Iterator[tuple[Plane, Plane]]:
        top = 0
        for strip in shown.each:
            meant = luma[top : top + len(strip)]
            yield rounded(meant) if is_reduced else meant, _luma_of(strip)
            top += len(strip)

    return likeness_of_parts(pairs())


def _luma_of(samples: Any) -> Plane:
    if samples.shape[2] < 3:
        return np.ascontiguousarray(samples[..., 0])
    return luma_of(samples[..., :3])


def _by_pillow(file: BinaryIO, kind: Format) -> Any:
    """A Pillow image, loaded: RGB or RGBA of 8 bit, for which OpenCV takes twelve bytes a pixel."""
    from PIL import BmpImagePlugin, PngImagePlugin

    # The plugins and not Image.open, whose own limit on pixels is not ours.
    plugin: Any = BmpImagePlugin.BmpImageFile if kind == "bmp" else PngImagePlugin.PngImageFile
    try:
        image = plugin(file)
        image.load()
    except (OSError, SyntaxError, ValueError, LookupError, struct.error, zlib.error) as error:
        raise DamagedPicture(str(error)) from None
    return image


def _by_opencv(content: Stored, how: int) -> Any:
    """H x W or H x W x C in the order B, G, R; raises DamagedPicture and cv2.error."""
    picture = cv2.imdecode(np.frombuffer(content[:], np.uint8), how)
    if picture is None:
        raise DamagedPicture("it is no picture")
    return picture


def _likeness_in_blocks(shown: Plane, luma: Plane) -> Likeness:
    if shown.shape != luma.shape or shown.dtype != luma.dtype:
        return unlike(luma.shape, luma.dtype, shown.shape, shown.dtype)
    return luma_likeness(_in_blocks(luma), _in_blocks(shown))


def _in_blocks(luma: Plane) -> Plane:
    """The mean of every 8 x 8 pixels; what is over at the right and the bottom is left out."""
    height, width = (max(1, side // _BLOCK) for side in luma.shape)
    inner = luma[: height * _BLOCK, : width * _BLOCK]
    means: Any = cv2.resize(inner, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(means, dtype=np.uint8)
