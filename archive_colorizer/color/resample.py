"""Shrink and enlarge planes."""

from typing import Any, Final

import cv2
import numpy as np

from archive_colorizer.color.space import FloatArray, Plane, get_white

_MIN_REST: Final = 2
"""Halving is ten times as fast as other steps; it leaves at least so many times the target size."""


def shrink(plane: Plane, height: int, width: int) -> FloatArray:
    """Resize an H x W plane to height x width, as float32 in 0..1.

    Shrinking averages areas and enlarging interpolates.  Averaging happens at the plane's own
    depth, so that no float copy of a large plane is made.
    """
    times = int(np.log2(max(1.0, min(plane.shape[0] / height, plane.shape[1] / width) / _MIN_REST)))
    plane = _halve(plane, times)
    smaller = height <= plane.shape[0] and width <= plane.shape[1]
    interpolation = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    small = cv2.resize(plane, (width, height), interpolation=interpolation)
    return np.asarray(small, dtype=np.float32) / np.float32(get_white(plane))


def _halve(plane: Plane, times: int) -> Plane:
    """Average blocks of 2^times samples a side.

    Samples beyond whole blocks are cropped evenly at all four edges: less than a quarter of a
    block of the target size.
    """
    block = 1 << times
    height, width = (side // block * block for side in plane.shape)
    top, left = (plane.shape[0] - height) // 2, (plane.shape[1] - width) // 2
    half: Any = plane[top : top + height, left : left + width]
    for _ in range(times):
        size = half.shape[1] // 2, half.shape[0] // 2
        half = cv2.resize(half, size, interpolation=cv2.INTER_AREA)
    smaller: Plane = half
    return smaller


def locate_rows(known_rows: int, top: int, count: int, height: int) -> FloatArray:
    """Locate `count` rows from `top` of a picture `height` high on a grid of `known_rows` rows."""
    positions = (np.arange(top, top + count, dtype=np.float32) + 0.5) * (known_rows / height) - 0.5
    return np.asarray(np.clip(positions, 0, known_rows - 1), dtype=np.float32)


def enlarge(planes: FloatArray, height: int, width: int) -> FloatArray:
    """Resize H x W or H x W x C float32 to height x width by linear interpolation."""
    wide = cv2.resize(planes, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(wide, dtype=np.float32)


def average(plane: FloatArray, side: int) -> FloatArray:
    """Average over side x side pixels, with the edges replicated."""
    mean = cv2.blur(plane, (side, side), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(mean, dtype=np.float32)


def fit_within(height: int, width: int, longest: int) -> tuple[int, int]:
    """Scale height and width down, never up, so that no side exceeds `longest`."""
    share = min(1.0, longest / max(height, width))
    return max(1, round(height * share)), max(1, round(width * share))
