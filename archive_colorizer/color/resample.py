"""Smaller and larger planes."""

from typing import Any, Final

import cv2
import numpy as np

from archive_colorizer.color.space import FloatArray, Plane, white_of

_REST: Final = 2
"""Halving, which is ten times as fast as any other step, leaves so many times the size at least."""


def shrink(plane: Plane, height: int, width: int) -> FloatArray:
    """An H x W plane of uint8 or uint16 at height x width, as float32 in 0..1.

    Averages areas where it gets smaller and interpolates where it gets larger.  Averaging
    happens at the plane's own depth, so that no float copy of a large plane is made.
    """
    times = int(np.log2(max(1.0, min(plane.shape[0] / height, plane.shape[1] / width) / _REST)))
    plane = _halved(plane, times)
    smaller = height <= plane.shape[0] and width <= plane.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    small = cv2.resize(plane, (width, height), interpolation=how)
    return np.asarray(small, dtype=np.float32) / np.float32(white_of(plane))


def _halved(plane: Plane, times: int) -> Plane:
    """Means of blocks of 2^times samples a side.

    What is too much for whole blocks is left out at all four edges, evenly: less than the
    quarter of a block of what comes after.
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


def rows_among(known: int, top: int, count: int, height: int) -> FloatArray:
    """Where `count` rows from `top` of a picture `height` high lie among `known` rows of it."""
    at = (np.arange(top, top + count, dtype=np.float32) + 0.5) * (known / height) - 0.5
    return np.asarray(np.clip(at, 0, known - 1), dtype=np.float32)


def enlarge(planes: FloatArray, height: int, width: int) -> FloatArray:
    """H x W or H x W x C float32 at height x width, interpolated linearly."""
    wide = cv2.resize(planes, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(wide, dtype=np.float32)


def fit_within(height: int, width: int, longest: int) -> tuple[int, int]:
    """Height and width scaled down, never up, so that no side is longer than `longest`."""
    share = min(1.0, longest / max(height, width))
    return max(1, round(height * share)), max(1, round(width * share))
