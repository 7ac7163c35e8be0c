"""How weak a color mask is: figures for what goes wrong with predicted color.

All work at the network's size, on h x w x 2 chroma (-0.5..0.5) and h x w luma (0..1).
"""

from collections.abc import Iterable
from typing import Final

import cv2
import numpy as np

from archive_colorizer.color.analysis.faces import Box
from archive_colorizer.color.correct import gamut_share
from archive_colorizer.color.space import FloatArray, planes_of

_DARK: Final = 0.12
_LIGHT: Final = 0.88
"""Luma outside of these can hold little chroma, whatever the network wants."""
_FINE: Final = 0.008
_COARSE: Final = 0.04
"""Sigmas of the band in which blotches lie, as shares of the short side."""
_ROUGH: Final = 2.5
"""Pixels of sigma that still make a blur smooth."""
_EDGE: Final = 0.04
"""Range of luma (0..1) around a pixel that counts as an edge."""
_AT_EDGE: Final = 1.05
"""Chroma so many times itself must still lie in the gamut, or it counts as clipped."""

_SKIN: Final = (-0.071, 0.105)
_SKIN_SPREAD: Final = np.linalg.inv([[0.00087, -0.00060], [-0.00060, 0.00085]])
"""Chroma of skin: its mean, and the inverse of its covariance.

Fitted on the true colors of faces of all peoples (FairFace, CC BY 4.0), the median of each.
"""


def strength_of(chroma: FloatArray) -> float:
    """Mean length of chroma: 0 is neutral grey."""
    return float(cv2.magnitude(*planes_of(chroma)).mean())


def one_color_share(chroma: FloatArray, strength: float) -> float:
    """How much of all chroma points one way, 0 to 1: 1 is one hue over everything.

    strength: that of the chroma (see strength_of).
    """
    return float(np.hypot(*cv2.mean(chroma)[:2])) / strength if strength > 0 else 0.0


def blotches(chroma: FloatArray, luma: FloatArray) -> float:
    """Root mean square of chroma that comes and goes where luma has no edge near."""
    short = min(luma.shape)
    fine, coarse = _FINE * short, _COARSE * short
    reach = max(3, 2 * round(coarse) + 1)
    kernel = np.ones((reach, reach), dtype=np.uint8)
    smooth = _blurred(luma, fine)
    flat = cv2.dilate(smooth, kernel) - cv2.erode(smooth, kernel) < _EDGE
    count = np.count_nonzero(flat)
    if not count:
        return 0.0
    squares = 0.0
    for plane in planes_of(chroma):
        apart = _blurred(plane, fine), _blurred_widely(plane, coarse)
        squares += cv2.norm(*apart, cv2.NORM_L2SQR, mask=flat.view(np.uint8))
    return float(np.sqrt(squares / count))


def clipped_share(chroma: FloatArray, luma: FloatArray) -> float:
    """Share of midtone pixels whose chroma lies at the edge of the gamut or beyond, 0 to 1."""
    middle = (luma > _DARK) & (luma < _LIGHT)
    if not middle.any():
        return 0.0
    share = gamut_share(luma, chroma * np.float32(_AT_EDGE))
    return float(np.count_nonzero((share < 1.0) & middle) / np.count_nonzero(middle))


def skin_distance(chroma: FloatArray, faces: Iterable[Box]) -> float | None:
    """How far the color of the oddest face is from skin, in standard deviations; None: no face.

    The median of the middle of each face counts.
    """
    worst: float | None = None
    for top, left, bottom, right in faces:
        quarter = (bottom - top) // 4
        middle = chroma[top + quarter : bottom - quarter, left + quarter : right - quarter]
        if middle.size:
            away = np.median(middle.reshape(-1, 2), axis=0) - np.array(_SKIN)
            worst = max(worst or 0.0, float(np.sqrt(away @ _SKIN_SPREAD @ away)))
    return worst


def _blurred_widely(plane: FloatArray, sigma: float) -> FloatArray:
    """The same to within a hundredth where sigma is large, for a fraction of the work."""
    height, width = plane.shape
    step = int(sigma / _ROUGH)
    if step < 2:
        return _blurred(plane, sigma)
    # As far beyond the edges as the blur reaches, and on to whole steps.
    beyond = step * round(3 * sigma / step)
    more = (beyond, beyond + -height % step, beyond, beyond + -width % step)
    wide = cv2.copyMakeBorder(plane, *more, cv2.BORDER_REPLICATE)
    size = wide.shape[1] // step, wide.shape[0] // step
    small = np.asarray(cv2.resize(wide, size, interpolation=cv2.INTER_AREA), dtype=np.float32)
    # Averaging and interpolating blur, too: a square's and a triangle's variance.
    left = float(np.sqrt((sigma / step) ** 2 - 1 / 12 - 1 / 6))
    rough = cv2.resize(_blurred(small, left), wide.shape[::-1])
    return np.asarray(rough[beyond : beyond + height, beyond : beyond + width], dtype=np.float32)


def _blurred(planes: FloatArray, sigma: float) -> FloatArray:
    blurred = cv2.GaussianBlur(planes, (0, 0), max(sigma, 0.5), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, dtype=np.float32)
