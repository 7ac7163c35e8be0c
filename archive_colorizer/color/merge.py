"""Two color masks of one picture made one, at the network's size.

The first is the one to lean on, the second the one to add.  How the second's difference counts
is a matter of the mode; the ways and their limits are those that HAVC documents for DeOldify
(the steady one) and DDColor (the vivid one, weak in the dark).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal

import cv2
import numpy as np

from archive_colorizer.color.space import FloatArray

MergeMode = Literal["mean", "chroma-limited", "luma-masked", "luma-weighted"]

_MOST_APART: Final = np.float32(0.1)
"""Chroma by which the second may differ where it is limited: a fifth of the way to the end."""
_DARK, _LIGHT = np.float32(0.2), np.float32(0.8)
"""Luma below which the second does not count where it is masked, and above which it does."""
_DIM: Final = 0.8
"""Mean luma of a picture below which the second counts less where it is weighted ..."""
_LEAST: Final = 0.15
"""... and the share that is left to it in the darkest."""


def _limited(difference: FloatArray, _luma: FloatArray) -> FloatArray:
    length = np.hypot(difference[..., 0], difference[..., 1])
    share = np.minimum(_MOST_APART / np.maximum(length, np.float32(1e-9)), 1)
    return np.asarray(difference * share[..., None], dtype=np.float32)


def _masked(difference: FloatArray, luma: FloatArray) -> FloatArray:
    share = np.clip((luma - _DARK) / (_LIGHT - _DARK), 0, 1)
    return np.asarray(difference * share[..., None], dtype=np.float32)


def _weighted(difference: FloatArray, luma: FloatArray) -> FloatArray:
    share = np.float32(min(max(float(luma.mean()) / _DIM, _LEAST), 1.0))
    return difference * share


MERGES: Final[Mapping[MergeMode, Callable[[FloatArray, FloatArray], FloatArray]]] = (
    MappingProxyType(
        {
            "mean": lambda difference, _luma: difference,
            "chroma-limited": _limited,
            "luma-masked": _masked,
            "luma-weighted": _weighted,
        }
    )
)
"""What of the difference from the first mask to the second counts, on the picture's luma."""


def merge(
    first: FloatArray, second: FloatArray, luma: FloatArray, mode: MergeMode, weight: float
) -> FloatArray:
    """One mask (h x w x 2 chroma, of the first's size) of two.

    luma: h x w, 0..1, as large as the first.  weight: of the second, 0 (the first alone) to 1.
    """
    height, width = first.shape[:2]
    if second.shape != first.shape:
        smaller = second.shape[0] >= height and second.shape[1] >= width
        how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        second = np.asarray(cv2.resize(second, (width, height), interpolation=how), np.float32)
    return first + np.float32(weight) * MERGES[mode](second - first, luma)
