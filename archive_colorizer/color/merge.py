"""Merge two color masks of one picture at the network's size.

The first mask is the stable base; the mode decides how much of the second's difference is added.
The modes and their limits are those that HAVC documents for DeOldify (stable) and DDColor
(vivid, weak in the dark).
"""

from collections.abc import Callable
from typing import Final, Literal

import cv2
import numpy as np

from archive_colorizer.color.space import FloatArray

MergeMode = Literal["mean", "chroma-limited", "luma-masked", "luma-weighted"]

_MAX_DIFFERENCE: Final = np.float32(0.1)
"""Largest difference in chroma of the limited mode: a fifth of the range on either side."""
_DARK, _LIGHT = np.float32(0.2), np.float32(0.8)
"""The masked mode ignores the second mask below the first luma and uses it above the second."""
_DIM: Final = 0.8
_MIN_WEIGHT: Final = 0.15
"""The weighted mode weighs less below this mean luma of the picture, but never less than this."""


def _limit_chroma(difference: FloatArray, _luma: FloatArray) -> FloatArray:
    length = np.hypot(difference[..., 0], difference[..., 1])
    share = np.minimum(_MAX_DIFFERENCE / np.maximum(length, np.float32(1e-9)), 1)
    return np.asarray(difference * share[..., None], dtype=np.float32)


def _mask_shadows(difference: FloatArray, luma: FloatArray) -> FloatArray:
    share = np.clip((luma - _DARK) / (_LIGHT - _DARK), 0, 1)
    return np.asarray(difference * share[..., None], dtype=np.float32)


def _weigh_by_luma(difference: FloatArray, luma: FloatArray) -> FloatArray:
    share = np.float32(min(max(float(luma.mean()) / _DIM, _MIN_WEIGHT), 1.0))
    return difference * share


MERGES: Final[dict[MergeMode, Callable[[FloatArray, FloatArray], FloatArray]]] = {
    "mean": lambda difference, _luma: difference,
    "chroma-limited": _limit_chroma,
    "luma-masked": _mask_shadows,
    "luma-weighted": _weigh_by_luma,
}
"""Functions that scale the difference of the two masks, given the luma of the picture."""


def merge(
    first: FloatArray, second: FloatArray, luma: FloatArray, mode: MergeMode, weight: float
) -> FloatArray:
    """Merge two masks into one of the first's size, h x w x 2 chroma.

    luma: h x w, 0..1, as large as the first.  weight: 0 (the first mask alone) to 1.
    """
    height, width = first.shape[:2]
    if second.shape != first.shape:
        smaller = second.shape[0] >= height and second.shape[1] >= width
        interpolation = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        second = np.asarray(
            cv2.resize(second, (width, height), interpolation=interpolation), np.float32
        )
    return first + np.float32(weight) * MERGES[mode](second - first, luma)
