"""Hue bands: corrections that only some hues get, and fade out over a soft edge.

A band's weight is 1 inside, falls over `soft` degrees that lie half inside and half outside of
each edge, and is 0 beyond.  The fall is a smoothstep, which is symmetrical, so that two bands
that meet with equal softness add up to 1 everywhere.  What bands ask for is added, so their
order does not matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import FloatArray

_HARD: Final = 1e-3
"""Degrees of softness below which an edge is hard; float32 tells no finer hues apart."""


@dataclass(frozen=True, slots=True)
class HueBand:
    """Hues from `begin` over `width` degrees (0 < width <= 360), and what they get.

    begin: degrees of HSV, taken modulo 360.  soft: degrees of each edge.  shift: degrees.
    saturation, value: factors of at least 0.
    """

    begin: float
    width: float
    soft: float = 0.0
    shift: float = 0.0
    saturation: float = 1.0
    value: float = 1.0

    @property
    def is_idle(self) -> bool:
        """Whether it changes nothing."""
        return not self.shift % 360 and self.saturation == 1.0 and self.value == 1.0

    def weight(self, hue: FloatArray) -> FloatArray:
        """How much of the band each hue (degrees) gets, 0..1."""
        from_begin = (hue - np.float32(self.begin)) % np.float32(360)
        if self.soft < _HARD:
            return np.asarray(from_begin < self.width, dtype=np.float32)
        half = self.width / 2
        off = np.abs((from_begin - half + 180) % 360 - 180)
        # Far behind a wide band both of its edges are near, and each gives its share.
        both = self._fall(off) + self._fall(360 - off)
        return np.asarray(np.clip(both, 0, 1), dtype=np.float32)

    def _fall(self, off: FloatArray) -> FloatArray:
        return smoothstep((self.width / 2 + self.soft / 2 - off) / self.soft)


def banded(hue: FloatArray, bands: Sequence[HueBand]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """For each hue (degrees), the shift in degrees and the factors on saturation and value.

    Factors below 0, which overlapping bands may ask for, become 0.
    """
    shift = np.zeros_like(hue)
    saturation, value = np.ones_like(hue), np.ones_like(hue)
    for band in bands:
        weight = band.weight(hue)
        shift += weight * np.float32(band.shift)
        saturation += weight * np.float32(band.saturation - 1)
        value += weight * np.float32(band.value - 1)
    return shift, np.maximum(saturation, 0), np.maximum(value, 0)


def smoothstep(position: npt.NDArray[np.floating[Any]]) -> FloatArray:
    """0 up to 0, 1 from 1 on, and between them a cubic that begins and ends level."""
    share = np.clip(position, 0, 1)
    return np.asarray(share * share * (3 - 2 * share), dtype=np.float32)
