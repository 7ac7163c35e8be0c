"""Unsharp mask on luma, the one setting that changes the luma of the source.

It works at the source's depth; only a strip at a time is float.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import Plane, get_white

_STRIP: Final = 256
_REACH: Final = 4
"""Radii after which a Gaussian is negligible."""


@dataclass(frozen=True, slots=True)
class Sharpening:
    """Describe an unsharp mask.

    amount: share of the detail to add.  radius: sigma of the blur in pixels.  threshold: detail
    that counts as grain, in levels of 255; it is subtracted from stronger detail, so that there
    is no step.
    """

    amount: float
    radius: float = 1.0
    threshold: float = 0.0

    @property
    def description(self) -> str:
        """The settings as part of a sentence."""
        return (
            f"unsharp mask, amount {self.amount:g}, radius {self.radius:g} pixels, "
            f"threshold {self.threshold:g} of 255"
        )


def sharpen(luma: Plane, sharpening: Sharpening) -> Plane:
    """Add `amount` times the detail that a blur removes to luma (H x W), rounded at its depth.

    Flat areas stay unchanged.  The blur replicates the edges of the picture.
    """
    white = get_white(luma)
    threshold = np.float32(sharpening.threshold * white / 255)
    reach = math.ceil(_REACH * sharpening.radius)
    size = (2 * reach + 1, 2 * reach + 1)
    result: npt.NDArray[Any] = np.empty_like(luma)
    for top in range(0, luma.shape[0], _STRIP):
        first = max(top - reach, 0)
        last = min(top + _STRIP + reach, luma.shape[0])
        exact = luma[first:last].astype(np.float32)
        blurred = cv2.GaussianBlur(exact, size, sharpening.radius, borderType=cv2.BORDER_REPLICATE)
        inner = slice(top - first, min(top + _STRIP, luma.shape[0]) - first)
        detail = exact[inner] - blurred[inner]
        if threshold:
            detail -= np.clip(detail, -threshold, threshold)
        detail *= np.float32(sharpening.amount)
        detail += exact[inner]
        result[top : top + _STRIP] = np.rint(np.clip(detail, 0, white, out=detail), out=detail)
    return result
