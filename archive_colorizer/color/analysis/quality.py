"""Measure typical defects of predicted color.

All functions work at the network's size, on h x w x 2 chroma (-0.5..0.5) and h x w luma (0..1).
"""

from collections.abc import Iterable
from typing import Final

import cv2
import numpy as np

from archive_colorizer.color.analysis.faces import Box
from archive_colorizer.color.correct import compute_gamut_share
from archive_colorizer.color.space import FloatArray, split_planes

_DARK: Final = 0.12
_LIGHT: Final = 0.88
"""Luma outside these limits can hold little chroma."""
_FINE: Final = 0.008
_COARSE: Final = 0.04
"""Sigmas that bound the size of blotches, as shares of the short side."""
_SMOOTH_SIGMA: Final = 2.5
"""Smallest sigma, in pixels, of a smooth blur."""
_EDGE: Final = 0.04
"""Range of luma (0..1) around a pixel that counts as an edge."""
_AT_EDGE: Final = 1.05
"""Chroma counts as clipped if this multiple of it is outside the gamut."""

_SKIN: Final = (-0.071, 0.105)
_SKIN_SPREAD: Final = np.linalg.inv([[0.00087, -0.00060], [-0.00060, 0.00085]])
"""Mean chroma of skin and its inverse covariance.

Fitted to the median color of each face of FairFace (CC BY 4.0), which covers all peoples.
"""


def measure_strength(chroma: FloatArray) -> float:
    """Measure the mean length of chroma; 0 is neutral grey."""
    return float(cv2.magnitude(*split_planes(chroma)).mean())


def measure_hue_dominance(chroma: FloatArray, strength: float) -> float:
    """Measure how much chroma has one hue, 0 to 1, given the result of `measure_strength`."""
    return float(np.hypot(*cv2.mean(chroma)[:2])) / strength if strength > 0 else 0.0


def measure_blotches(chroma: FloatArray, luma: FloatArray) -> float:
    """Measure the root mean square of chroma variations where luma has no edge nearby."""
    short = min(luma.shape)
    fine, coarse = _FINE * short, _COARSE * short
    side = max(3, 2 * round(coarse) + 1)
    kernel = np.ones((side, side), dtype=np.uint8)
    smooth = _smooth(luma, fine)
    flat = cv2.dilate(smooth, kernel) - cv2.erode(smooth, kernel) < _EDGE
    count = np.count_nonzero(flat)
    if not count:
        return 0.0
    squares = 0.0
    for plane in split_planes(chroma):
        scales = _smooth(plane, fine), _smooth_widely(plane, coarse)
        squares += cv2.norm(*scales, cv2.NORM_L2SQR, mask=flat.view(np.uint8))
    return float(np.sqrt(squares / count))


def measure_clipping(chroma: FloatArray, luma: FloatArray) -> float:
    """Measure the share (0 to 1) of midtone pixels with chroma at or beyond the gamut's edge."""
    middle = (luma > _DARK) & (luma < _LIGHT)
    if not middle.any():
        return 0.0
    share = compute_gamut_share(luma, chroma * np.float32(_AT_EDGE))
    return float(np.count_nonzero((share < 1.0) & middle) / np.count_nonzero(middle))


def measure_skin_distance(chroma: FloatArray, faces: Iterable[Box]) -> float | None:
    """Measure the largest distance of a face's median color from skin, in deviations."""
    worst: float | None = None
    for top, left, bottom, right in faces:
        quarter = (bottom - top) // 4
        middle = chroma[top + quarter : bottom - quarter, left + quarter : right - quarter]
        if middle.size:
            deviation = np.median(middle.reshape(-1, 2), axis=0) - np.array(_SKIN)
            worst = max(worst or 0.0, float(np.sqrt(deviation @ _SKIN_SPREAD @ deviation)))
    return worst


def _smooth_widely(plane: FloatArray, sigma: float) -> FloatArray:
    """Approximate `_smooth` within a hundredth for a large sigma, at a fraction of the cost."""
    height, width = plane.shape
    step = int(sigma / _SMOOTH_SIGMA)
    if step < 2:
        return _smooth(plane, sigma)
    # The margin covers the reach of the blur, rounded to whole steps.
    margin = step * round(3 * sigma / step)
    more = (margin, margin + -height % step, margin, margin + -width % step)
    wide = cv2.copyMakeBorder(plane, *more, cv2.BORDER_REPLICATE)
    size = wide.shape[1] // step, wide.shape[0] // step
    small = np.asarray(cv2.resize(wide, size, interpolation=cv2.INTER_AREA), dtype=np.float32)
    # Averaging and interpolating also blur, by the variances of a box and a triangle.
    remaining_sigma = float(np.sqrt((sigma / step) ** 2 - 1 / 12 - 1 / 6))
    rough = cv2.resize(_smooth(small, remaining_sigma), wide.shape[::-1])
    return np.asarray(rough[margin : margin + height, margin : margin + width], dtype=np.float32)


def _smooth(planes: FloatArray, sigma: float) -> FloatArray:
    blurred = cv2.GaussianBlur(planes, (0, 0), max(sigma, 0.5), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, dtype=np.float32)
