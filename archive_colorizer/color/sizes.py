"""Smaller and larger planes."""

import cv2
import numpy as np

from archive_colorizer.color.space import FloatArray, Plane, white_of


def shrink(plane: Plane, height: int, width: int) -> FloatArray:
    """An H x W plane of uint8 or uint16 at height x width, as float32 in 0..1.

    Averages areas where it gets smaller and interpolates where it gets larger.  Averaging
    happens at the plane's own depth, so that no float copy of a large plane is made.
    """
    smaller = height <= plane.shape[0] and width <= plane.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    small = cv2.resize(plane, (width, height), interpolation=how)
    return np.asarray(small, dtype=np.float32) / np.float32(white_of(plane))


def enlarge(planes: FloatArray, height: int, width: int) -> FloatArray:
    """H x W or H x W x C float32 at height x width, interpolated linearly."""
    wide = cv2.resize(planes, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(wide, dtype=np.float32)


def fit_within(height: int, width: int, longest: int) -> tuple[int, int]:
    """Height and width scaled down, never up, so that no side is longer than `longest`."""
    share = min(1.0, longest / max(height, width))
    return max(1, round(height * share)), max(1, round(width * share))
