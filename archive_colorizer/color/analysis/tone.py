"""Has this picture color of its own, or is it a neutral or toned (sepia, cyanotype) print?

In a toned print the color is a function of the tone: every pixel of one luma has one chroma.
So chroma is compared with the median chroma of its own luma band; what a photograph in
color has and a toned print has not is the distance that remains.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import FloatArray, chroma_of, luma_of

NEUTRAL_BELOW: Final = 0.008
"""Mean chroma below this (2 code values of 255) is neutral: rounding and JPEG noise."""

COLORED_MEAN: Final = 0.0125
COLORED_PEAK: Final = 0.045
"""A mean or a 99th percentile of the distance above these is color.

Between toned and stained historical prints (at most 0.010 and 0.039 on those looked at) and
photographs in color (98 of 100 are above one of the two).
"""

_BANDS: Final = 24
_SMOOTH: Final = 5


class Tone(StrEnum):
    """What color a source has."""

    NEUTRAL = "neutral"
    TONED = "toned"
    COLORED = "colored"


@dataclass(frozen=True, slots=True)
class ToneFigures:
    """Lengths in units of the chroma range -0.5..0.5.

    chroma: mean length of chroma.  mean, peak: mean and 99th percentile of the distance of
    chroma from the median of its luma band.
    """

    chroma: float
    mean: float
    peak: float


def tone_of(preview: npt.NDArray[np.uint8]) -> Tone:
    """The tone of an H x W x 3 uint8 R'G'B' preview."""
    figures = tone_figures(preview)
    if figures.chroma < NEUTRAL_BELOW and figures.peak < COLORED_PEAK:
        return Tone.NEUTRAL
    colored = figures.mean > COLORED_MEAN or figures.peak > COLORED_PEAK
    return Tone.COLORED if colored else Tone.TONED


def tone_figures(preview: npt.NDArray[np.uint8]) -> ToneFigures:
    """The figures that tell the tone, of an H x W x 3 uint8 R'G'B' preview."""
    # A small box takes out the color noise of scanners and JPEG, which is no tone.
    smooth = cv2.blur(preview.astype(np.float32) / np.float32(255), (_SMOOTH, _SMOOTH))
    chroma = chroma_of(np.asarray(smooth, dtype=np.float32)).reshape(-1, 2)
    band = (luma_of(preview).reshape(-1).astype(np.intp) * _BANDS) // 256
    away = np.empty(len(chroma), dtype=np.float32)
    for one in range(_BANDS):
        here = band == one
        if here.any():
            away[here] = _lengths(chroma[here] - np.median(chroma[here], axis=0))
    mean_chroma = float(_lengths(chroma).mean())
    return ToneFigures(mean_chroma, float(away.mean()), float(np.percentile(away, 99)))


def _lengths(vectors: FloatArray) -> FloatArray:
    return np.asarray(np.hypot(vectors[:, 0], vectors[:, 1]), dtype=np.float32)
