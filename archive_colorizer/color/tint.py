"""Tint: a color field at a picture's full size, strip by strip, in code values and in the gamut.

The fast half of the blend.  All planes are float32, planar, in code values of luma, and lie in
buffers that are used again, so that a strip stays in the processor's cache: on interleaved
chroma and with new arrays for every step the same arithmetic takes six times as long.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from archive_colorizer.color.sizes import rows_among
from archive_colorizer.color.space import FloatArray, Plane, planes_of

_STRIP: Final = 1 << 16
"""Pixels of a strip: its planes (2.4 MB) stay in a cache, and calls cost little beside them."""
_TINY: Final = np.float32(1e-4)
"""Code values that stand for none where something is divided by them."""
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
        self._height = height
        self._wide = _widened(lines, scale, width)
        self._buffers = np.empty((9, self.rows, width), np.float32)

    def add(
        self, top: int, seen: Plane, dark: Plane, light: Plane, kept: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """What is added to red and to blue in the strip whose first row is `top`: n x width.

        seen: luma; dark, light: the darkest and the lightest luma that the color will sit on.
        kept: how much of the color stays, 0 to 1; None for all of it.
        Color is shrunk along the line to neutral, which keeps hue and luma, until it is inside
        the gamut on both.  Valid until the next strip is asked for.
        """
        count = len(seen)
        luma, green, up, down, share, *lines = self._buffers[:, :count]
        red, blue, above, below = lines
        self._between(top, lines)
        np.copyto(luma, seen)
        for color, offset in ((red, above), (blue, below)):
            np.multiply(color, luma, out=color)
            np.add(color, offset, out=color)
        self._green(red, blue, green)
        np.maximum(np.maximum(red, blue, out=up), np.maximum(green, _TINY, out=share), out=up)
        np.minimum(np.minimum(red, blue, out=down), np.minimum(green, -_TINY, out=share), out=down)
        # The offsets are used: in their room comes the share that luma's distances leave.
        np.divide(np.subtract(np.float32(self._scale.white), light, out=above), up, out=above)
        np.divide(np.subtract(np.float32(self._scale.black), dark, out=below), down, out=below)
        np.minimum(np.minimum(above, below, out=share), np.float32(1), out=share)
        if self._scale.black:
            np.maximum(share, np.float32(0), out=share)  # codes may lie beyond black and white
        if kept is not None:
            np.multiply(share, kept, out=share)
        return np.multiply(red, share, out=red), np.multiply(blue, share, out=blue)

    def paint(self, top: int, luma: Plane, out: Plane, kept: FloatArray | None = None) -> None:
        """Red, green and blue of the strip, rounded, in n x width x 3 of luma's depth."""
        red, blue = self.add(top, luma, luma, luma, kept)
        seen, green = self._buffers[:2, : len(luma)]
        depth = _DEPTHS[luma.dtype.name]
        self._green(red, blue, green)
        cv2.merge([cv2.add(seen, one, dtype=depth) for one in (red, green, blue)], dst=out)

    def _green(self, red: FloatArray, blue: FloatArray, green: FloatArray) -> None:
        """What green gives so that luma stays."""
        kr, kb = self._scale.weights
        kg = 1 - kr - kb
        np.copyto(green, cv2.addWeighted(red, -kr / kg, blue, -kb / kg, 0.0, dst=green))

    def _between(self, top: int, out: Sequence[FloatArray]) -> None:
        """Rows of the picture from the known rows above and below them, linearly."""
        known, count = self._wide.shape[1], len(out[0])
        at = rows_among(known, top, count, self._height)
        near = np.arange(int(at[0]), min(int(at[-1]) + 2, known), dtype=np.float32)
        weights = np.maximum(1 - np.abs(at[:, None] - near), 0).astype(np.float32)
        first = int(near[0])
        for plane, rows in zip(self._wide, out, strict=True):
            np.matmul(weights, plane[first : first + len(near)], out=rows)


def _widened(lines: FloatArray, scale: Scale, width: int) -> FloatArray:
    """Lines at the picture's width: 4 x h x width, slopes of red and blue, then their offsets.

    A color is then slope * code + offset.
    """
    slope_cb, slope_cr, offset_cb, offset_cr = planes_of(lines)
    span = np.float32(scale.white - scale.black)
    planes = []
    for slope, per_chroma in ((slope_cr, scale.red_of_cr), (slope_cb, scale.blue_of_cb)):
        planes.append(slope * (per_chroma / span))
    for slope, offset, per_chroma in (
        (slope_cr, offset_cr, scale.red_of_cr),
        (slope_cb, offset_cb, scale.blue_of_cb),
    ):
        planes.append(offset * per_chroma - slope * (per_chroma / span * scale.black))
    size = width, len(lines)
    wide = [cv2.resize(np.asarray(one, dtype=np.float32), size) for one in planes]
    return np.asarray(wide, dtype=np.float32)
