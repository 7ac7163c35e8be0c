"""Correct the color mask at the network's size.

The mask is combined with the small luma, changed in HSV and reduced to chroma again.  Because the
original luma is attached later, "value" deepens or lightens the color and never the picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import (
    CHROMA_TO_RGB,
    FloatArray,
    compute_chroma,
    compute_rgb,
    split_planes,
)

Blend: TypeAlias = Literal["luma", "soft-light"]

_SHADOWS: Final = (0.35, 0.1)
_HIGHLIGHTS: Final = (0.65, 0.9)
"""Luma at which the zone begins, and from which it has its full effect."""
_MIN_SOFTNESS: Final = 1e-3
"""Degrees; float32 cannot resolve softer edges."""


@dataclass(frozen=True, slots=True)
class HueBand:
    """Describe a band of hues, from `begin` over `width` degrees, and its correction.

    The weight is 1 inside, falls over `soft` degrees centered on each edge, and is 0 outside.
    The falloff is a symmetric smoothstep: two adjacent bands of equal softness sum to 1.

    begin: HSV degrees, modulo 360.  width: above 0, at most 360.  shift: degrees.
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
        return not self.shift % 360 and self.saturation == 1.0 and self.value == 1.0

    def compute_weight(self, hue: FloatArray) -> FloatArray:
        """Compute the weight of the band, 0..1, for each hue in degrees."""
        from_begin = (hue - np.float32(self.begin)) % np.float32(360)
        if self.soft < _MIN_SOFTNESS:
            return np.asarray(from_begin < self.width, dtype=np.float32)
        reach = self.width / 2 + self.soft / 2
        distance = np.abs((from_begin - self.width / 2 + 180) % 360 - 180)
        # Opposite a wide band both of its edges are near, so that both contribute.
        near, far = ((reach - d) / self.soft for d in (distance, 360 - distance))
        return np.asarray(np.clip(smoothstep(near) + smoothstep(far), 0, 1), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Correction:
    """Describe how a mask is changed.

    strength: 0..1.  hue: degrees.  saturation, value: factors of at least 0.  bands: further
    changes by the network's own hue.  shadows, highlights: shares of the strength in dark and
    light areas, 0..1.  blend: use the color of the mask, or blend it as a soft-light layer.
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
    def has_global_change(self) -> bool:
        return bool(self.hue % 360.0 or self.saturation != 1.0 or self.value != 1.0)


def correct(chroma: FloatArray, luma: FloatArray, correction: Correction) -> FloatArray:
    """Apply a correction to H x W x 2 chroma on H x W luma (0..1), inside the gamut.

    Strength 0 and saturation 0 give zero chroma; hue 360 equals hue 0.
    """
    result = compress_to_gamut(chroma, luma)
    bands = tuple(band for band in correction.bands if not band.is_idle)
    if correction.has_global_change or bands:
        result = _adjust_hsv(result, luma, correction, bands)
    if correction.blend == "soft-light":
        result = apply_soft_light(result, luma)
    return _scale_chroma(result, _compute_strength(luma, correction))


def _compute_strength(luma: FloatArray, correction: Correction) -> np.float32 | FloatArray:
    """Return the share of color: one number, or H x W if it depends on luma."""
    whole = np.float32(correction.strength)
    if correction.shadows == 1.0 and correction.highlights == 1.0:
        return whole
    dark = np.float32(correction.shadows - 1) * _compute_ramp(luma, *_SHADOWS)
    light = np.float32(correction.highlights - 1) * _compute_ramp(luma, *_HIGHLIGHTS)
    return np.asarray(whole * (1 + dark + light), dtype=np.float32)


def _compute_ramp(luma: FloatArray, begin: float, end: float) -> FloatArray:
    return smoothstep((luma - np.float32(begin)) / np.float32(end - begin))


def _adjust_hsv(
    chroma: FloatArray, luma: FloatArray, correction: Correction, bands: tuple[HueBand, ...]
) -> FloatArray:
    """Change hue (OpenCV's float HSV: 0..360), saturation and value of the mask on its luma."""
    rgb = np.clip(compute_rgb(luma, chroma), 0.0, 1.0)
    hue, saturation, value = cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV))
    shift, saturation_factor, value_factor = sum_bands(np.asarray(hue, dtype=np.float32), bands)
    hue = (hue + correction.hue + shift) % 360.0
    saturation = np.minimum(saturation * correction.saturation * saturation_factor, 1.0)
    value = value * correction.value * value_factor
    hsv = np.stack([hue, saturation, value], axis=2).astype(np.float32)
    changed = compute_chroma(np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), dtype=np.float32))
    if correction.has_global_change:
        return changed
    # Hues outside of all bands keep their color bit for bit.
    untouched = (shift == 0) & (saturation_factor == 1) & (value_factor == 1)
    return np.asarray(np.where(untouched[..., None], chroma, changed), dtype=np.float32)


def compress_to_gamut(chroma: FloatArray, luma: FloatArray) -> FloatArray:
    """Reduce chroma (H x W x 2) where R', G' or B' on this luma would leave 0..1."""
    return _scale_chroma(chroma, compute_gamut_share(luma, chroma))


def compute_gamut_share(luma: FloatArray, chroma: FloatArray) -> FloatArray:
    """Compute the largest share (0..1) of chroma that keeps R', G', B' in 0..1 on its luma.

    Scaling chroma (H x W x 2) towards neutral preserves hue and luma.
    """
    cb, cr = split_planes(chroma)
    (_, cr_to_red), (cb_to_green, cr_to_green), (cb_to_blue, _) = CHROMA_TO_RGB
    red, blue = cr_to_red * cr, cb_to_blue * cb
    green = cb_to_green * cb + cr_to_green * cr
    up = np.maximum(np.maximum(red, blue), np.maximum(green, np.float32(1e-6)))
    down = np.minimum(np.minimum(red, blue), np.minimum(green, np.float32(-1e-6)))
    share = np.minimum((1.0 - luma) / up, luma / -down)
    return np.asarray(np.clip(share, 0.0, 1.0), dtype=np.float32)


def _scale_chroma(chroma: FloatArray, share: np.float32 | FloatArray) -> FloatArray:
    return np.asarray(
        cv2.merge([plane * share for plane in split_planes(chroma)]), dtype=np.float32
    )


def blend_soft_light(backdrop: FloatArray, source: FloatArray) -> FloatArray:
    """Blend a soft-light source layer over a backdrop, both in 0..1."""
    soft = np.where(
        backdrop <= 0.25, ((16 * backdrop - 12) * backdrop + 4) * backdrop, np.sqrt(backdrop)
    )
    darker = backdrop - (1 - 2 * source) * backdrop * (1 - backdrop)
    lighter = backdrop + (2 * source - 1) * (soft - backdrop)
    return np.asarray(np.where(source <= 0.5, darker, lighter), dtype=np.float32)


def apply_soft_light(chroma: FloatArray, luma: FloatArray) -> FloatArray:
    """Compute the chroma (H x W x 2) of a mask that lies as a soft-light layer over its luma.

    The layer is chroma on luma (H x W, 0..1).  The luma of the blend is dropped, since the
    original's is attached later.
    """
    layer = np.clip(compute_rgb(luma, chroma), 0, 1)
    return compute_chroma(blend_soft_light(luma[..., None], np.asarray(layer, dtype=np.float32)))


def sum_bands(
    hue: FloatArray, bands: Sequence[HueBand]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Sum the bands for each hue (degrees): shift in degrees, saturation and value factors.

    Overlapping bands may sum to a negative factor, which becomes 0.
    """
    shift = np.zeros_like(hue)
    saturation, value = np.ones_like(hue), np.ones_like(hue)
    for band in bands:
        weight = band.compute_weight(hue)
        shift += weight * np.float32(band.shift)
        saturation += weight * np.float32(band.saturation - 1)
        value += weight * np.float32(band.value - 1)
    return shift, np.maximum(saturation, 0), np.maximum(value, 0)


def smoothstep(position: npt.NDArray[np.floating[Any]]) -> FloatArray:
    """Interpolate from 0 (position <= 0) to 1 (position >= 1) with a flat start and end."""
    share = np.clip(position, 0, 1)
    return np.asarray(share * share * (3 - 2 * share), dtype=np.float32)
