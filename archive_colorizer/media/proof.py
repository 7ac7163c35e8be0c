"""Proof: a finished file decoded again, by libraries that had no part in its making.

OpenCV decodes what libvips, Pillow, libjpeg-turbo, OpenJPEG and we ourselves have encoded;
TIFF, which tifffile encodes, is left to libvips, since OpenCV multiplies colors by alpha.
"""

import math
from typing import Any

import cv2
import numpy as np

from archive_colorizer.color.space import Plane, luma_of
from archive_colorizer.errors import ResultUnsound, SourceError
from archive_colorizer.media import vips
from archive_colorizer.media.jpeg import coarseness
from archive_colorizer.media.likeness import luma_likeness
from archive_colorizer.media.planes import rounded
from archive_colorizer.media.raster import Format

_BLOCK = 8
_ALLOWED = 1
_ALLOWED_JPEG = 2
"""Code values; see `jpeg.FAITHFUL` for the second."""


def check_result(content: bytes, kind: Format, luma: Plane, name: str, quality: int = 0) -> None:
    """Raise ResultUnsound unless `content` shows a picture of this luma, upright.

    luma: H x W, what was to be written, at its own depth; compared in 8 bit where the file
    holds 8.  quality: of a JPEG whose quality was chosen, which is compared block by block
    then, to within what such a JPEG loses; 0 for results that keep luma.
    """
    shown = _luma_in(content, kind, name)
    meant = rounded(luma) if shown.dtype == np.uint8 and luma.dtype == np.uint16 else luma
    allowed = _ALLOWED_JPEG if kind == "jpeg" else _ALLOWED
    if quality and shown.shape == meant.shape:
        shown, meant = _in_blocks(shown), _in_blocks(meant)
        allowed = math.ceil(coarseness(quality) / _BLOCK) + _BLOCK
    likeness = luma_likeness(meant, shown, None)
    if likeness.difference > allowed:
        raise ResultUnsound(
            f"{name}: its result does not show what was to be written ({likeness.said}); "
            "nothing was kept, run again and, if that helps, check memory and disk"
        )


def _luma_in(content: bytes, kind: Format, name: str) -> Plane:
    if kind == "tiff":
        try:
            return _luma_of(vips.pixels(vips.open_picture(content, kind, name), name))
        except SourceError as error:
            raise _unreadable(name, str(error)) from None
    # A JPEG's luma is stored as such, and turned as its EXIF says when it is read like this.
    how = cv2.IMREAD_GRAYSCALE if kind == "jpeg" else cv2.IMREAD_UNCHANGED
    try:
        picture: Any = cv2.imdecode(np.frombuffer(content, np.uint8), how)
    except cv2.error as error:
        raise _unreadable(name, str(error)) from None
    if picture is None:
        raise _unreadable(name, "it is no picture")
    return picture if picture.ndim == 2 else _luma_of(picture[..., 2::-1])


def _luma_of(samples: Any) -> Plane:
    if samples.shape[2] < 3:
        return np.ascontiguousarray(samples[..., 0])
    return luma_of(np.ascontiguousarray(samples[..., :3]))


def _in_blocks(luma: Plane) -> Plane:
    """The mean of every 8 x 8 pixels; what is over at the right and the bottom is left out."""
    height, width = (max(1, side // _BLOCK) for side in luma.shape)
    inner = luma[: height * _BLOCK, : width * _BLOCK]
    means: Any = cv2.resize(inner, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(means, dtype=np.uint8)


def _unreadable(name: str, why: str) -> ResultUnsound:
    return ResultUnsound(
        f"{name}: its result cannot be read back ({why}); nothing was kept, run again and, "
        "if that helps, check memory and disk"
    )
