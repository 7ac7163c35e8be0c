"""Unsharp mask on luma: the one setting that gives up the source's own luma, so it is never silent.

Works in strips at the picture's own depth; only a strip is ever float.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import Plane, white_of

_STRIP: Final = 256
_REACH: Final = 4
"""Radii after which a Gaussian is nothing more."""


@dataclass(frozen=True, slots=True)
class Sharpening:
    """amount: share of the detail that is added.  radius: sigma of the blur in pixels.

    threshold: detail that counts as grain, in levels of 255; what is stronger is taken less it,
    so that nothing jumps.
    """

    amount: float
    radius: float = 1.0
    threshold: float = 0.0

    @property
    def said(self) -> str:
        """A sentence's part for people."""
        return (
            f"unsharp mask, amount {self.amount:g}, radius {self.radius:g} pixels, "
            f"threshold {self.threshold:g} of 255"
        )


def sharpened(luma: Plane, how: Sharpening) -> Plane:
    """Luma (H x W, uint8 or uint16) plus `amount` times what a blur takes from it, rounded.

    A flat area stays what it is.  At the edges of the picture the blur sees its edge go on.
    """
    white = white_of(luma)
    least = np.float32(how.threshold * white / 255)
    reach = math.ceil(_REACH * how.radius)
    size = (2 * reach + 1, 2 * reach + 1)
    made: npt.NDArray[Any] = np.empty_like(luma)
    for top in range(0, luma.shape[0], _STRIP):
        first = max(top - reach, 0)
        last = min(top + _STRIP + reach, luma.shape[0])
        exact = luma[first:last].astype(np.float32)
        blurred = cv2.GaussianBlur(exact, size, how.radius, borderType=cv2.BORDER_REPLICATE)
        inner = slice(top - first, min(top + _STRIP, luma.shape[0]) - first)
        detail = exact[inner] - blurred[inner]
        if least:
            detail -= np.clip(detail, -least, least)
        detail *= np.float32(how.amount)
        detail += exact[inner]
        made[top : top + _STRIP] = np.rint(np.clip(detail, 0, white, out=detail), out=detail)
    return made
