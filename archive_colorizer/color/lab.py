"""CIE L*a*b* (D65, 2 degrees) of sRGB at a luma that is given.

A network that speaks Lab gives a and b, and luma is the picture's own.  What is looked for is
the one lightness at which a color with these a and b has that luma, and the chroma that it
then has.  Everything is float, and exact beyond the gamut too: OpenCV's conversion clips
there, and is half a unit off in places.
"""

from typing import Final

import cv2
import numpy as np

from archive_colorizer.color.space import KB, KG, KR, FloatArray, chroma_of

_RGB_TO_XYZ: Final = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)
_OF_WHITE: Final = _RGB_TO_XYZ / _RGB_TO_XYZ.sum(axis=1, keepdims=True)
"""Linear R, G, B to X, Y, Z as shares of white's."""
_TO_LINEAR: Final = np.linalg.inv(_OF_WHITE).astype(np.float32)
_LUMA: Final = np.array([[KR, KG, KB]], dtype=np.float32)
_KNEE: Final = np.float32(6 / 29)
_TAIL: Final = np.float32(3 * (6 / 29) ** 2)
_OFFSET: Final = np.float32(4 / 29)
_DARK: Final = np.float32(0.0031308)
_NEAR: Final = np.float32(1e-5)
"""Luma, of 1: a 400th of a code of 8 bits."""
_STEPS: Final = 24
"""At most; most colors need two, and those next to the edge of the gamut many."""


def lightness_of(luma: FloatArray) -> FloatArray:
    """L* (0..100) of neutral grey with this luma (h x w, 0..1)."""
    power = cv2.pow((luma + np.float32(0.055)) / np.float32(1.055), 2.4)
    linear = np.where(luma <= _DARK * np.float32(12.92), luma / np.float32(12.92), power)
    cubic = cv2.pow(np.maximum(linear, 0).astype(np.float32), 1 / 3)
    share = np.where(linear > _KNEE**3, cubic, linear / _TAIL + _OFFSET)
    return np.asarray(116 * share - 16, dtype=np.float32)


def chroma_of_ab(luma: FloatArray, ab: FloatArray) -> FloatArray:
    """Cb, Cr (h x w x 2) of the color that has `luma` (h x w, 0..1) and `ab` (h x w x 2).

    A color outside of sRGB is followed beyond it, so that its hue stays what it is; whoever
    paints with it shrinks it into the gamut.
    """
    wanted, far_ab = luma.reshape(-1, 1), ab.reshape(-1, 1, 2)
    lightness = lightness_of(wanted)
    rgb, slope = _colors(lightness, far_ab)
    far = np.flatnonzero(np.abs(_luma(rgb) - wanted) > _NEAR)
    for _ in range(_STEPS):
        if not far.size:
            break
        # Newton's method, on those that are not there yet.
        lightness[far] += (wanted[far] - _luma(rgb[far])) / slope[far]
        rgb[far], slope[far] = _colors(lightness[far], far_ab[far])
        far = far[np.abs(_luma(rgb[far]) - wanted[far])[:, 0] > _NEAR]
    return chroma_of(rgb.reshape(*luma.shape, 3))


def _colors(lightness: FloatArray, ab: FloatArray) -> tuple[FloatArray, FloatArray]:
    """R', G', B' (h x w x 3, unlimited) of L*, a*, b*, and how much luma a step of L* adds."""
    middle = (lightness + 16) / 116
    thirds = np.stack([middle + ab[..., 0] / 500, middle, middle - ab[..., 1] / 200], axis=2)
    squares = np.where(thirds > _KNEE, thirds * thirds, _TAIL / 3).astype(np.float32)
    parts = np.where(thirds > _KNEE, squares * thirds, _TAIL * (thirds - _OFFSET))
    linear = cv2.transform(parts.astype(np.float32), _TO_LINEAR)
    rising = cv2.transform(squares, _TO_LINEAR * np.float32(3 / 116))
    # sRGB's curve, turned about black for negative light.
    size = np.abs(linear)
    power = np.float32(1.055) * cv2.pow(size, 1 / 2.4)
    is_dark = size <= _DARK
    coded = np.where(is_dark, size * np.float32(12.92), power - np.float32(0.055))
    bend = np.where(is_dark, np.float32(12.92), power / (np.maximum(size, _DARK) * 2.4))
    slope = np.maximum(_luma((rising * bend).astype(np.float32)), np.float32(1e-3))
    return np.copysign(coded, linear).astype(np.float32), slope


def _luma(rgb: FloatArray) -> FloatArray:
    return np.asarray(cv2.transform(rgb, _LUMA), dtype=np.float32).reshape(rgb.shape[:2])
