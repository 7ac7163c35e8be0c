"""Corrections of the color mask, at the network's own size.

The mask is taken as a picture (its chroma on the small luma), turned in HSV, and reduced to
chroma again.  Because the original's luma is attached later, "value" deepens or lightens the
color and never the picture.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from archive_colorizer.color.space import CHROMA_TO_RGB, FloatArray, chroma_of, rgb_of


@dataclass(frozen=True, slots=True)
class Correction:
    """strength 0..1, hue in degrees, saturation and value as factors of at least 0."""

    strength: float = 1.0
    hue: float = 0.0
    saturation: float = 1.0
    value: float = 1.0


def correct(chroma: FloatArray, luma: FloatArray, correction: Correction) -> FloatArray:
    """The corrected mask: H x W x 2 chroma for H x W x 2 chroma on H x W luma (0..1).

    Strength 0 and saturation 0 give zero chroma; hue 360 equals hue 0.
    """
    inside = chroma * gamut_share(luma, luma, chroma)[..., None]
    if correction.hue % 360.0 or correction.saturation != 1.0 or correction.value != 1.0:
        inside = _turned(inside, luma, correction)
    return np.asarray(inside * np.float32(correction.strength), dtype=np.float32)


def _turned(chroma: FloatArray, luma: FloatArray, correction: Correction) -> FloatArray:
    """Hue (OpenCV's float HSV: 0..360), saturation and value applied to the mask as a picture."""
    rgb = np.clip(rgb_of(luma, chroma), 0.0, 1.0)
    hue, saturation, value = cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV))
    turned = (
        (hue + correction.hue) % 360.0,
        np.minimum(saturation * correction.saturation, 1.0),
        value * correction.value,
    )
    hsv = np.stack(turned, axis=2).astype(np.float32)
    return chroma_of(np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), dtype=np.float32))


def gamut_share(
    lowest: FloatArray,
    highest: FloatArray,
    chroma: FloatArray,
    to_rgb: FloatArray = CHROMA_TO_RGB,
) -> FloatArray:
    """The largest share (0..1) of chroma that keeps R', G', B' in 0..1.

    lowest, highest: H x W, the darkest and the lightest luma (0..1) that this chroma will sit
    on; chroma: H x W x 2, which `to_rgb` (3 x 2) turns into what it adds to luma in R', G', B'.
    Shrinking along the line to neutral keeps hue and luma.
    """
    # Plane by plane: reducing over an axis of three is many times slower.
    red, green, blue = cv2.split(cv2.transform(chroma, to_rgb))
    up = np.maximum(np.maximum(np.maximum(red, green), blue), np.float32(1e-6))
    down = np.maximum(-np.minimum(np.minimum(red, green), blue), np.float32(1e-6))
    share = np.minimum((1.0 - highest) / up, lowest / down)
    return np.asarray(np.clip(share, 0.0, 1.0), dtype=np.float32)
