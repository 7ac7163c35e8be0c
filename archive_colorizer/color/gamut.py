"""Tint: a color field at a picture's full size, strip by strip, in code values and in the gamut.

The fast half of the blend.  All planes are float32, planar, in code values of luma, and lie in
buffers that are used again, so that a strip stays in the processor's cache: on interleaved
chroma and with new arrays for every step the same arithmetic takes six times as long.
"""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

from archive_colorizer.color.resample import rows_among
from archive_colorizer.color.space import FloatArray, Plane, planes_of

_STRIP: Final = 3 << 15
"""Pixels of a strip: its planes (2 MB) stay in a cache, and calls cost little beside them."""
_TOGETHER: Final = 16
"""Rows that are made of known rows at once: of the weights that this takes, most are 0."""
_TINY: Final = 2.0**-22
"""Of white: how far beyond black and white color may go, so that nothing is divided by 0.

A few times what float32 tells apart there, and far from half a code at 16 bits.
"""
_DEPTHS: Final = {"uint8": cv2.CV_8U, "uint16": cv2.CV_16U}


@dataclass(frozen=True, slots=True)
class Scale:
    """Code values of black and white, and the luma's weights of red and blue."""

    black: int
    white: int
    weights: tuple[float, float]

    @property
    def red_of_cr(self) -> float:
        """Code values that a Cr of 1 adds to red."""
        return 2 * (1 - self.weights[0]) * (self.white - self.black)

    @property
    def blue_of_cb(self) -> float:
        """Code values that a Cb of 1 adds to blue."""
        return 2 * (1 - self.weights[1]) * (self.white - self.black)


class Tint:
    """What a field adds to the luma of one picture."""

    def __init__(self, lines: FloatArray, scale: Scale, height: int, width: int) -> None:
        """lines: h x w x 4 as in ChromaField, for the scale's weights; sides in pixels."""
        self.rows = min(max(8, _STRIP // width), height)
        """How many a strip has at most."""
        self._scale = scale
        self._wide = _widened(lines, scale, width)
        self._at = rows_among(len(lines), 0, height, height)
        self._known = np.arange(len(lines), dtype=np.float32)
        self._buffers = np.empty((5, self.rows, width), np.float32)

    def add(
        self, top: int, seen: Plane, dark: Plane, light: Plane, kept: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """What is added to red and to blue in the strip whose first row is `top`: n x width.

        seen: luma; dark, light: the darkest and the lightest luma that the color will sit on.
        kept: how much of the color stays, 0 to 1; None for all of it.
        Color is shrunk along the line to neutral, which keeps hue and luma, until it is inside
        the gamut on both.  Valid until the next strip is asked for.
        """
        luma, slope_of_red, slope_of_blue, red, blue = self._buffers[:, : len(seen)]
        self._between(top, self._buffers[1:, : len(seen)])
        np.copyto(luma, seen)
        # So far, red and blue are the offsets of the lines.
        cv2.accumulateProduct(slope_of_red, luma, red)
        cv2.accumulateProduct(slope_of_blue, luma, blue)
        share = self._fitting(red, blue, dark, light)
        if kept is not None:
            np.multiply(share, kept, out=share)
        return np.multiply(red, share, out=red), np.multiply(blue, share, out=blue)

    def _fitting(self, red: FloatArray, blue: FloatArray, dark: Plane, light: Plane) -> FloatArray:
        """The share of a color, 0 to 1, that stays between black and white on dark and light."""
        black, white = self._scale.black, self._scale.white
        tiny = np.float32(_TINY * white)
        if black:  # codes may lie beyond black and white
            dark, light = np.maximum(dark, black), np.minimum(light, white)
        # Luma and slopes are used: these planes lie in their place.
        green, share, most = self._buffers[:3, : len(dark)]
        self._green(red, blue, green)
        # The room up to white over the color, where that is more; then the room down to black.
        np.maximum(np.maximum(red, blue, out=most), green, out=most)
        np.subtract(white + tiny, light, out=share)
        np.divide(share, np.maximum(most, share, out=most), out=share)
        np.minimum(np.minimum(red, blue, out=most), green, out=most)
        below = np.subtract(black - tiny, dark, out=green)
        np.divide(below, np.minimum(most, below, out=most), out=below)
        return np.asarray(np.minimum(share, below, out=share), dtype=np.float32)

    def paint(self, top: int, luma: Plane, out: Plane, kept: FloatArray | None = None) -> None:
        """Red, green and blue of the strip, rounded, in n x width x 3 of luma's depth."""
        red, blue = self.add(top, luma, luma, luma, kept)
        seen, green = self._buffers[:2, : len(luma)]
        np.copyto(seen, luma)
        self._green(red, blue, green)
        depth = _DEPTHS[luma.dtype.name]
        cv2.merge([cv2.add(seen, one, dtype=depth) for one in (red, green, blue)], dst=out)

    def _green(self, red: FloatArray, blue: FloatArray, green: FloatArray) -> None:
        """What green gives so that luma stays."""
        kr, kb = self._scale.weights
        kg = 1 - kr - kb
        cv2.addWeighted(red, -kr / kg, blue, -kb / kg, 0.0, dst=green)

    def _between(self, top: int, out: FloatArray) -> None:
        """Rows of the picture (4 x n x width) from the known rows around them, linearly."""
        known = self._wide.shape[1]
        for begin in range(0, out.shape[1], _TOGETHER):
            rows = out[:, begin : begin + _TOGETHER]
            above = top + begin
            at = self._at[above : above + rows.shape[1], None]
            first, last = int(at[0, 0]), min(int(at[-1, 0]) + 2, known)
            weights = np.maximum(1 - np.abs(at - self._known[first:last]), 0)
            np.matmul(weights, self._wide[:, first:last], out=rows)


def _widened(lines: FloatArray, scale: Scale, width: int) -> FloatArray:
    """Lines at the picture's width: 4 x h x width, slopes of red and blue, then their offsets.

    A color is then slope * code + offset.
    """
    slope_cb, slope_cr, offset_cb, offset_cr = planes_of(lines)
    span = scale.white - scale.black
    colors = (
        (slope_cr, offset_cr, scale.red_of_cr),
        (slope_cb, offset_cb, scale.blue_of_cb),
    )
    planes: list[Any] = [slope * (whole / span) for slope, _, whole in colors]
    for slope, offset, whole in colors:
        of_black = whole / span * scale.black
        planes.append(cv2.addWeighted(offset, whole, slope, -of_black, 0.0))
    wide = np.empty((4, len(lines), width), np.float32)
    for plane, out in zip(planes, wide, strict=True):
        cv2.resize(plane, out.shape[::-1], dst=out)
    return wide
