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
