"""Corrections of the color mask, at the network's own size.

The mask is taken as a picture (its chroma on the small luma), turned in HSV, and reduced to
chroma again.  Because the original's luma is attached later, "value" deepens or lightens the
color and never the picture.
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import cv2
import numpy as np

from archive_colorizer.color.hue_bands import HueBand, banded, smoothstep
from archive_colorizer.color.space import (
    B_FROM_CB,
    G_FROM_CB,
    G_FROM_CR,
    R_FROM_CR,
    FloatArray,
    chroma_of,
    planes_of,
    rgb_of,
)

Blend: TypeAlias = Literal["luma", "soft-light"]


_SHADOWS: Final = (0.35, 0.1)
"""Luma at which shadows begin, and at which they are all shadow."""


_HIGHLIGHTS: Final = (0.65, 0.9)


@dataclass(frozen=True, slots=True)
class Correction:
    """What is done to a mask.

    strength: 0..1.  hue: degrees.  saturation, value: factors of at least 0.  bands: what some
    hues get, chosen by the hue that the network gave.  shadows, highlights: shares of the
    strength that dark and light places get, 0..1.  blend: luma takes the mask's color as it
    is, soft-light what it gives as a soft-light layer.
    """

    strength: float = 1.0
    hue: float = 0.0
    saturation: float = 1.0
    value: float = 1.0
    bands: tuple[HueBand, ...] = ()
    shadows: float = 1.0
    highlights: float = 1.0
    blend: Blend = "luma"

    @property
    def turns(self) -> bool:
        """Whether every hue is changed in HSV."""
        return bool(self.hue % 360.0 or self.saturation != 1.0 or self.value != 1.0)


def correct(chroma: FloatArray, luma: FloatArray, correction: Correction) -> FloatArray:
    """The corrected mask: H x W x 2 chroma for H x W x 2 chroma on H x W luma (0..1).

    Strength 0 and saturation 0 give zero chroma; hue 360 equals hue 0.
    """
    inside = in_gamut(chroma, luma)
    bands = tuple(band for band in correction.bands if not band.is_idle)
    if correction.turns or bands:
        inside = _turned(inside, luma, correction, bands)
    if correction.blend == "soft-light":
        inside = soft_light_chroma(inside, luma)
    return _times(inside, _strength(luma, correction))


def _strength(luma: FloatArray, correction: Correction) -> np.float32 | FloatArray:
    """The share of color, one number or H x W by luma."""
    whole = np.float32(correction.strength)
    if correction.shadows == 1.0 and correction.highlights == 1.0:
        return whole
    dark = np.float32(correction.shadows - 1) * _ramp(luma, *_SHADOWS)
    light = np.float32(correction.highlights - 1) * _ramp(luma, *_HIGHLIGHTS)
    return np.asarray(whole * (1 + dark + light), dtype=np.float32)


def _ramp(luma: FloatArray, begin: float, end: float) -> FloatArray:
    """0 before `begin`, 1 from `end` on, and smooth between; `end` may be the darker one."""
    return smoothstep((luma - np.float32(begin)) / np.float32(end - begin))


def _turned(
    chroma: FloatArray, luma: FloatArray, correction: Correction, bands: tuple[HueBand, ...]
) -> FloatArray:
    """Hue (OpenCV's float HSV: 0..360), saturation and value applied to the mask as a picture."""
    rgb = np.clip(rgb_of(luma, chroma), 0.0, 1.0)
    hue, saturation, value = cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV))
    shift, more, brighter = banded(np.asarray(hue, dtype=np.float32), bands)
    turned = (
        (hue + correction.hue + shift) % 360.0,
        np.minimum(saturation * correction.saturation * more, 1.0),
        value * correction.value * brighter,
    )
    hsv = np.stack(turned, axis=2).astype(np.float32)
    made = chroma_of(np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), dtype=np.float32))
    if correction.turns:
        return made
    # Hues that no band is about keep their color bit for bit.
    untouched = (shift == 0) & (more == 1) & (brighter == 1)
    return np.asarray(np.where(untouched[..., None], chroma, made), dtype=np.float32)


def in_gamut(chroma: FloatArray, luma: FloatArray) -> FloatArray:
    """Chroma (H x W x 2), less of it where R', G' or B' on this luma would leave 0..1."""
    return _times(chroma, gamut_share(luma, chroma))


def gamut_share(luma: FloatArray, chroma: FloatArray) -> FloatArray:
    """The largest share (0..1) of chroma (H x W x 2) that keeps R', G', B' in 0..1 on its luma.

    Shrinking along the line to neutral keeps hue and luma.
    """
    cb, cr = planes_of(chroma)
    red, blue = np.float32(R_FROM_CR) * cr, np.float32(B_FROM_CB) * cb
    green = np.float32(G_FROM_CB) * cb + np.float32(G_FROM_CR) * cr
    up = np.maximum(np.maximum(red, blue), np.maximum(green, np.float32(1e-6)))
    down = np.minimum(np.minimum(red, blue), np.minimum(green, np.float32(-1e-6)))
    share = np.minimum((1.0 - luma) / up, luma / -down)
    return np.asarray(np.clip(share, 0.0, 1.0), dtype=np.float32)


def _times(chroma: FloatArray, share: np.float32 | FloatArray) -> FloatArray:
    """Chroma times one number or each pixel's share."""
    return np.asarray(cv2.merge([plane * share for plane in planes_of(chroma)]), dtype=np.float32)


def soft_light(backdrop: FloatArray, source: FloatArray) -> FloatArray:
    """The blend of a source layer over a backdrop, both in 0..1 and of shapes that fit."""
    soft = np.where(
        backdrop <= 0.25, ((16 * backdrop - 12) * backdrop + 4) * backdrop, np.sqrt(backdrop)
    )
    darker = backdrop - (1 - 2 * source) * backdrop * (1 - backdrop)
    lighter = backdrop + (2 * source - 1) * (soft - backdrop)
    return np.asarray(np.where(source <= 0.5, darker, lighter), dtype=np.float32)


def soft_light_chroma(chroma: FloatArray, luma: FloatArray) -> FloatArray:
    """The chroma (H x W x 2) that a mask gives as a soft-light layer over its grey picture.

    The layer is the mask as a picture: chroma on luma (H x W, 0..1).  Only the color of the
    blend is taken; its luma is not, since the original's own is attached later.
    """
    layer = np.clip(rgb_of(luma, chroma), 0, 1)
    return chroma_of(soft_light(luma[..., None], np.asarray(layer, dtype=np.float32)))
