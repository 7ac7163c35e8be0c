"""Upsample a chroma field to full size, strip by strip, in code values and inside the gamut.

All planes are float32, planar, in code values of luma, and live in reused buffers, so that a
strip stays in the processor's cache: with interleaved chroma and new arrays for every step, the
same arithmetic takes six times as long.
"""

from dataclasses import dataclass
from typing import Any, Final, Protocol

import cv2
import numpy as np

from archive_colorizer.color.resample import locate_rows
from archive_colorizer.color.space import KB, KR, FloatArray, Plane, split_planes

_STRIP: Final = 3 << 15
"""Pixels of a strip: its planes (2 MB) fit a cache, and the cost of calls is small."""
_ROW_GROUP: Final = 16
"""Rows that are interpolated at once; of their weights, most are 0."""
_TINY: Final = 2.0**-22
"""Overshoot beyond black and white, as a share of white, that avoids a division by 0."""
_DEPTHS: Final = {"uint8": cv2.CV_8U, "uint16": cv2.CV_16U}


class Coding(Protocol):
    """Define the meaning of code values: `depth` in bits, and the luma `weights` KR and KB."""

    @property
    def depth(self) -> int: ...
    @property
    def black(self) -> int: ...
    @property
    def white(self) -> int: ...
    @property
    def neutral(self) -> int: ...
    @property
    def chroma_span(self) -> int: ...
    @property
    def weights(self) -> tuple[float, float]: ...


@dataclass(frozen=True, slots=True)
class FullRange:
    """Code black as 0 and white as the largest code, as JPEG and all still pictures do."""

    depth: int = 8
    weights: tuple[float, float] = (KR, KB)
    black = 0

    @property
    def white(self) -> int:
        return (1 << self.depth) - 1

    @property
    def neutral(self) -> int:
        return 1 << (self.depth - 1)

    chroma_span = white


class ChromaUpsampler:
    """Compute what a chroma field adds to the luma of one picture."""

    def __init__(self, lines: FloatArray, coding: Coding, height: int, width: int) -> None:
        """Take lines (h x w x 4 as in ChromaField, for coding's weights) and the full size.

        cr_to_red, cb_to_blue: code values that a Cr or Cb of 1 adds.
        """
        self.strip_rows = min(max(8, _STRIP // width), height)
        self.cr_to_red = 2 * (1 - coding.weights[0]) * (coding.white - coding.black)
        self.cb_to_blue = 2 * (1 - coding.weights[1]) * (coding.white - coding.black)
        self._coding = coding
        self._lines = self._widen(lines, width)
        self._positions = locate_rows(len(lines), 0, height, height)
        self._line_rows = np.arange(len(lines), dtype=np.float32)
        self._buffers = np.empty((5, self.strip_rows, width), np.float32)

    def compute_offsets(
        self, top: int, luma: Plane, dark: Plane, light: Plane, mask: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Compute the offsets of red and blue, n x width, in the strip whose first row is `top`.

        dark, light: the darkest and the lightest luma that the color will be combined with.
        mask: share of the color to keep, 0 to 1; None keeps all.
        Color is scaled towards neutral, which preserves hue and luma, until it is inside the
        gamut on both.  The result is valid until the next strip is requested.
        """
        luma_copy, slope_of_red, slope_of_blue, red, blue = self._buffers[:, : len(luma)]
        self._interpolate_rows(top, self._buffers[1:, : len(luma)])
        np.copyto(luma_copy, luma)
        # Until here, red and blue hold the offsets of the lines.
        cv2.accumulateProduct(slope_of_red, luma_copy, red)
        cv2.accumulateProduct(slope_of_blue, luma_copy, blue)
        share = self._compute_gamut_share(red, blue, dark, light)
        if mask is not None:
            np.multiply(share, mask, out=share)
        return np.multiply(red, share, out=red), np.multiply(blue, share, out=blue)

    def _compute_gamut_share(
        self, red: FloatArray, blue: FloatArray, dark: Plane, light: Plane
    ) -> FloatArray:
        """Compute the share of the color, 0 to 1, that fits between black and white."""
        black, white = self._coding.black, self._coding.white
        tiny = np.float32(_TINY * white)
        if black:  # codes may lie beyond black and white
            dark, light = np.maximum(dark, black), np.minimum(light, white)
        # Luma and slopes are no longer needed: these planes reuse their buffers.
        green, share, extreme = self._buffers[:3, : len(dark)]
        self._compute_green(red, blue, green)
        # First the headroom to white over the largest color, then that to black.
        np.maximum(np.maximum(red, blue, out=extreme), green, out=extreme)
        np.subtract(white + tiny, light, out=share)
        np.divide(share, np.maximum(extreme, share, out=extreme), out=share)
        np.minimum(np.minimum(red, blue, out=extreme), green, out=extreme)
        share_below = np.subtract(black - tiny, dark, out=green)
        np.divide(share_below, np.minimum(extreme, share_below, out=extreme), out=share_below)
        return np.asarray(np.minimum(share, share_below, out=share), dtype=np.float32)

    def write_rgb(self, top: int, luma: Plane, out: Plane, mask: FloatArray | None = None) -> None:
        """Write the rounded R', G', B' of the strip to `out`, n x width x 3 at luma's depth."""
        red, blue = self.compute_offsets(top, luma, luma, luma, mask)
        luma_copy, green = self._buffers[:2, : len(luma)]
        np.copyto(luma_copy, luma)
        self._compute_green(red, blue, green)
        depth = _DEPTHS[luma.dtype.name]
        cv2.merge(
            [cv2.add(luma_copy, offset, dtype=depth) for offset in (red, green, blue)], dst=out
        )

    def _compute_green(self, red: FloatArray, blue: FloatArray, green: FloatArray) -> None:
        kr, kb = self._coding.weights
        kg = 1 - kr - kb
        cv2.addWeighted(red, -kr / kg, blue, -kb / kg, 0.0, dst=green)

    def _interpolate_rows(self, top: int, out: FloatArray) -> None:
        """Interpolate rows of the picture (4 x n x width) linearly between those of the field."""
        height = self._lines.shape[1]
        for start in range(0, out.shape[1], _ROW_GROUP):
            rows = out[:, start : start + _ROW_GROUP]
            first_row = top + start
            positions = self._positions[first_row : first_row + rows.shape[1], None]
            first, last = int(positions[0, 0]), min(int(positions[-1, 0]) + 2, height)
            weights = np.maximum(1 - np.abs(positions - self._line_rows[first:last]), 0)
            np.matmul(weights, self._lines[:, first:last], out=rows)

    def _widen(self, lines: FloatArray, width: int) -> FloatArray:
        """Convert to 4 x h x width: slopes of red and blue, then offsets, over code values."""
        slope_cb, slope_cr, offset_cb, offset_cr = split_planes(lines)
        black, span = self._coding.black, self._coding.white - self._coding.black
        colors = ((slope_cr, offset_cr, self.cr_to_red), (slope_cb, offset_cb, self.cb_to_blue))
        planes: list[Any] = [slope * (factor / span) for slope, _, factor in colors]
        planes += [
            cv2.addWeighted(offset, factor, slope, -(factor / span * black), 0.0)
            for slope, offset, factor in colors
        ]
        wide = np.empty((4, len(lines), width), np.float32)
        for plane, out in zip(planes, wide, strict=True):
            cv2.resize(plane, out.shape[::-1], dst=out)
        return wide
