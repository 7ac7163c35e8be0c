"""Detect whether a picture is in color, or a neutral or toned (sepia, cyanotype) print.

In a toned print all pixels of one luma have one chroma, so chroma is compared with the median
chroma of its luma band; only a photograph in color has a large distance from it.
"""

from enum import StrEnum
from typing import Final

import cv2
import numpy as np

from archive_colorizer.color.space import ByteArray, FloatArray, compute_chroma, compute_luma

_NEUTRAL_MEAN: Final = 0.008
"""Mean chroma below this (2 codes of 255) is rounding and JPEG noise."""
_COLORED_MEAN: Final = 0.0125
_COLORED_PEAK: Final = 0.045
"""A mean or a 99th percentile of the distance above these is color.

Toned and stained historical prints had at most 0.010 and 0.039; 98 of 100 photographs in color
exceed one of the two.
"""
_BANDS: Final = 24
_SMOOTH: Final = 5


class Tone(StrEnum):
    """Classify the color of a source."""

    NEUTRAL = "neutral"
    TONED = "toned"
    COLORED = "colored"

    @classmethod
    def detect(cls, preview: ByteArray) -> "Tone":
        """Classify an H x W x 3 uint8 R'G'B' preview."""
        # A small box filter removes the color noise of scanners and JPEG.
        smooth = cv2.blur(preview.astype(np.float32) / np.float32(255), (_SMOOTH, _SMOOTH))
        chroma = compute_chroma(np.asarray(smooth, dtype=np.float32)).reshape(-1, 2)
        band = (compute_luma(preview).reshape(-1).astype(np.intp) * _BANDS) // 256
        distances = np.empty(len(chroma), dtype=np.float32)
        for number in range(_BANDS):
            members = band == number
            if members.any():
                offsets = chroma[members] - np.median(chroma[members], axis=0)
                distances[members] = _compute_lengths(offsets)
        mean, peak = float(distances.mean()), float(np.percentile(distances, 99))
        if float(_compute_lengths(chroma).mean()) < _NEUTRAL_MEAN and peak < _COLORED_PEAK:
            return Tone.NEUTRAL
        is_colored = mean > _COLORED_MEAN or peak > _COLORED_PEAK
        return Tone.COLORED if is_colored else Tone.TONED


def _compute_lengths(vectors: FloatArray) -> FloatArray:
    return np.asarray(np.hypot(vectors[:, 0], vectors[:, 1]), dtype=np.float32)
