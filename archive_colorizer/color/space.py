"""Luma and chroma after ITU-R BT.601, full range, on gamma-coded values.

    Y' = 0.299 R' + 0.587 G' + 0.114 B'
    Cb = (B' - Y') / 1.772        Cr = (R' - Y') / 1.402

Chroma is centred: -0.5 to 0.5 where R', G', B' and Y' are 0 to 1.  JFIF uses the same
matrix, so the Y plane of a JPEG is this luma.
"""

from typing import Any, Final, TypeAlias, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


Plane: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""Code values at a picture's own depth: uint8 (0 to 255) or uint16 (0 to 65535)."""


KR: Final = 0.299


KG: Final = 0.587


KB: Final = 0.114


R_FROM_CR: Final = 2 * (1 - KR)


B_FROM_CB: Final = 2 * (1 - KB)


G_FROM_CB: Final = -KB * B_FROM_CB / KG


G_FROM_CR: Final = -KR * R_FROM_CR / KG


def chroma_to_rgb(kr: float, kb: float) -> FloatArray:
    """3 x 2: what Cb and Cr add to luma in R', G', B', by the luma's weights of red and blue."""
    red, blue, green = 2 * (1 - kr), 2 * (1 - kb), 1 - kr - kb
    return np.array(
        [[0.0, red], [-kb * blue / green, -kr * red / green], [blue, 0.0]], dtype=np.float32
    )


def chroma_matrix(kr: float, kb: float) -> FloatArray:
    """2 x 3: R', G', B' to Cb and Cr, by the luma's weights of red and blue."""
    red, blue, green = 2 * (1 - kr), 2 * (1 - kb), 1 - kr - kb
    return np.array(
        [
            [-kr / blue, -green / blue, (1 - kb) / blue],
            [(1 - kr) / red, -green / red, -kb / red],
        ],
        dtype=np.float32,
    )


CHROMA_TO_RGB: Final = chroma_to_rgb(KR, KB)
"""Of BT.601."""


_AT_A_TIME: Final = 1 << 17
"""Pixels whose float copy stays in the cache."""


_Sample = TypeVar("_Sample", np.uint8, np.uint16, np.float32)


def white_of(plane: Plane) -> int:
    """The code value of white at the plane's depth: 255 or 65535."""
    return int(np.iinfo(plane.dtype).max)


def luma_of(rgb: Plane) -> Plane:
    """Luma of an H x W x 3 picture in R, G, B order, rounded to nearest at its own depth.

    uint8 or uint16 in, the same depth out, H x W.  Works in strips, so that no float copy of
    the whole picture is made.  Equal channels give exactly that value.
    """
    weights = np.array([[KR, KG, KB]], dtype=np.float32)
    luma: npt.NDArray[Any] = np.empty(rgb.shape[:2], dtype=rgb.dtype)
    rows = max(1, _AT_A_TIME // max(1, rgb.shape[1]))
    for top in range(0, rgb.shape[0], rows):
        strip = rgb[top : top + rows].astype(np.float32)
        exact = cv2.transform(strip, weights).reshape(strip.shape[:2])
        luma[top : top + rows] = np.rint(exact)
    return luma


def chroma_of(rgb: FloatArray) -> FloatArray:
    """Cb, Cr of an H x W x 3 float32 picture with R', G', B' in 0..1: H x W x 2, -0.5..0.5."""
    return np.asarray(cv2.transform(rgb, chroma_matrix(KR, KB)), dtype=np.float32)


def rgb_of(luma: FloatArray, chroma: FloatArray) -> FloatArray:
    """R', G', B' of H x W luma (0..1) and H x W x 2 chroma; may leave 0..1."""
    added = cv2.transform(chroma, CHROMA_TO_RGB)
    return np.asarray(added + luma[..., None], dtype=np.float32)


def planes_of(picture: npt.NDArray[_Sample]) -> tuple[npt.NDArray[_Sample], ...]:
    """H x W x C as C planes: on them arithmetic is vectorized, over a short last axis it is not."""
    height, width, channels = picture.shape
    # Planes that OpenCV makes itself are copied once more; in one array they hinder one another.
    planes = tuple(np.empty((height, width), picture.dtype) for _ in range(channels))
    cv2.split(picture, planes)
    return planes


def lab_of(rgb: FloatArray) -> FloatArray:
    """CIE L*a*b* (D65, L 0..100) of H x W x 3 float32 sRGB in 0..1."""
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2Lab), dtype=np.float32)


def rgb_of_lab(lab: FloatArray) -> FloatArray:
    """sRGB in 0..1 (clipped to gamut by OpenCV) of CIE L*a*b* (D65)."""
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_Lab2RGB), dtype=np.float32)


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
