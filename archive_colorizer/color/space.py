"""Convert between RGB, BT.601 luma and chroma (full range, gamma-coded), and CIE Lab.

    Y' = 0.299 R' + 0.587 G' + 0.114 B'
    Cb = (B' - Y') / 1.772        Cr = (R' - Y') / 1.402

Chroma is centered: -0.5 to 0.5 where R', G', B' and Y' are 0 to 1.  JFIF uses the same
matrix, so the Y plane of a JPEG is this luma.
"""

from typing import Any, Final, TypeAlias, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

ByteArray: TypeAlias = npt.NDArray[np.uint8]
FloatArray: TypeAlias = npt.NDArray[np.float32]
Plane: TypeAlias = ByteArray | npt.NDArray[np.uint16]
"""Code values at a picture's own depth: uint8 (0 to 255) or uint16 (0 to 65535)."""
KR: Final = 0.299
KG: Final = 0.587
KB: Final = 0.114
R_FROM_CR: Final = 2 * (1 - KR)
B_FROM_CB: Final = 2 * (1 - KB)
G_FROM_CB: Final = -KB * B_FROM_CB / KG
G_FROM_CR: Final = -KR * R_FROM_CR / KG


def build_rgb_matrix(kr: float, kb: float) -> FloatArray:
    """Build the 3 x 2 matrix from Cb, Cr to R', G', B' minus luma, for luma weights kr and kb."""
    red, blue, green = 2 * (1 - kr), 2 * (1 - kb), 1 - kr - kb
    return np.array(
        [[0.0, red], [-kb * blue / green, -kr * red / green], [blue, 0.0]], dtype=np.float32
    )


def build_chroma_matrix(kr: float, kb: float) -> FloatArray:
    """Build the 2 x 3 matrix from R', G', B' to Cb and Cr, for luma weights kr and kb."""
    red, blue, green = 2 * (1 - kr), 2 * (1 - kb), 1 - kr - kb
    return np.array(
        [
            [-kr / blue, -green / blue, (1 - kb) / blue],
            [(1 - kr) / red, -green / red, -kb / red],
        ],
        dtype=np.float32,
    )


CHROMA_TO_RGB: Final = build_rgb_matrix(KR, KB)
"""The matrix of BT.601."""
_STRIP_PIXELS: Final = 1 << 17
"""Pixels whose float copy fits the cache."""
_Sample = TypeVar("_Sample", np.uint8, np.uint16, np.float32)


def get_white(plane: Plane) -> int:
    """Return the code value of white at the plane's depth, 255 or 65535."""
    return int(np.iinfo(plane.dtype).max)


def compute_luma(rgb: Plane) -> Plane:
    """Compute the luma (H x W) of an H x W x 3 R'G'B' picture, rounded at its own depth.

    It works in strips, so that no float copy of the whole picture is made.  Equal channels
    give exactly their value.
    """
    luma: npt.NDArray[Any] = np.empty(rgb.shape[:2], dtype=rgb.dtype)
    rows = max(1, _STRIP_PIXELS // max(1, rgb.shape[1]))
    for top in range(0, rgb.shape[0], rows):
        strip = rgb[top : top + rows].astype(np.float32)
        luma[top : top + rows] = np.rint(_compute_luma_plane(strip))
    return luma


def compute_chroma(rgb: FloatArray) -> FloatArray:
    """Compute Cb, Cr (H x W x 2, -0.5..0.5) of H x W x 3 R', G', B' in 0..1."""
    return np.asarray(cv2.transform(rgb, build_chroma_matrix(KR, KB)), dtype=np.float32)


def compute_rgb(luma: FloatArray, chroma: FloatArray) -> FloatArray:
    """Compute R', G', B' of H x W luma (0..1) and H x W x 2 chroma; it may leave 0..1."""
    offsets = cv2.transform(chroma, CHROMA_TO_RGB)
    return np.asarray(offsets + luma[..., None], dtype=np.float32)


def split_planes(picture: npt.NDArray[_Sample]) -> tuple[npt.NDArray[_Sample], ...]:
    """Split H x W x C into C planes, because numpy does not vectorize over a short last axis."""
    height, width, channels = picture.shape
    # OpenCV would copy planes of its own making; slices of one array share cache lines.
    planes = tuple(np.empty((height, width), picture.dtype) for _ in range(channels))
    cv2.split(picture, planes)
    return planes


def convert_rgb_to_lab(rgb: FloatArray) -> FloatArray:
    """Convert H x W x 3 sRGB in 0..1 to CIE L*a*b* (D65, L 0..100)."""
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2Lab), dtype=np.float32)


_RGB_TO_XYZ: Final = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)

_RGB_TO_WHITE_SHARES: Final = _RGB_TO_XYZ / _RGB_TO_XYZ.sum(axis=1, keepdims=True)
"""Linear R, G, B to X, Y, Z relative to white."""
_XYZ_TO_RGB: Final = np.linalg.inv(_RGB_TO_WHITE_SHARES).astype(np.float32)
_LUMA: Final = np.array([[KR, KG, KB]], dtype=np.float32)
_KNEE: Final = np.float32(6 / 29)
_TAIL: Final = np.float32(3 * (6 / 29) ** 2)
_OFFSET: Final = np.float32(4 / 29)
_DARK: Final = np.float32(0.0031308)
_TOLERANCE: Final = np.float32(1e-5)
"""Luma (0..1); a 400th of an 8-bit code."""
_MAX_STEPS: Final = 24
"""Most colors need two steps, those near the edge of the gamut many."""


def compute_lightness(luma: FloatArray) -> FloatArray:
    """Compute L* (0..100) of neutral grey with this luma (h x w, 0..1)."""
    power = cv2.pow((luma + np.float32(0.055)) / np.float32(1.055), 2.4)
    linear = np.where(luma <= _DARK * np.float32(12.92), luma / np.float32(12.92), power)
    cubic = cv2.pow(np.maximum(linear, 0).astype(np.float32), 1 / 3)
    share = np.where(linear > _KNEE**3, cubic, linear / _TAIL + _OFFSET)
    return np.asarray(116 * share - 16, dtype=np.float32)


def convert_ab_to_chroma(luma: FloatArray, ab: FloatArray) -> FloatArray:
    """Convert a*, b* (h x w x 2) on luma (h x w, 0..1) to Cb, Cr, also outside the gamut."""
    target_luma, target_ab = luma.reshape(-1, 1), ab.reshape(-1, 1, 2)
    lightness = compute_lightness(target_luma)
    rgb, slope = _compute_rgb_and_slope(lightness, target_ab)
    error = target_luma - _compute_luma_plane(rgb)
    for _ in range(_MAX_STEPS):
        unsolved = np.flatnonzero(np.abs(error) > _TOLERANCE)
        if not unsolved.size:
            break
        # Newton's method, on the colors that have not converged.
        lightness[unsolved] += error[unsolved] / slope[unsolved]
        rgb[unsolved], slope[unsolved] = _compute_rgb_and_slope(
            lightness[unsolved], target_ab[unsolved]
        )
        error[unsolved] = target_luma[unsolved] - _compute_luma_plane(rgb[unsolved])
    return compute_chroma(rgb.reshape(*luma.shape, 3))


def _compute_rgb_and_slope(lightness: FloatArray, ab: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Compute unclipped R', G', B' (h x w x 3) of L*, a*, b*, and the slope of luma over L*."""
    middle = (lightness + 16) / 116
    thirds = np.stack([middle + ab[..., 0] / 500, middle, middle - ab[..., 1] / 200], axis=2)
    squares = np.where(thirds > _KNEE, thirds * thirds, _TAIL / 3).astype(np.float32)
    parts = np.where(thirds > _KNEE, squares * thirds, _TAIL * (thirds - _OFFSET))
    linear = cv2.transform(parts.astype(np.float32), _XYZ_TO_RGB)
    rising = cv2.transform(squares, _XYZ_TO_RGB * np.float32(3 / 116))
    # The sRGB curve, mirrored at black for negative light.
    size = np.abs(linear)
    power = np.float32(1.055) * cv2.pow(size, 1 / 2.4)
    is_dark = size <= _DARK
    coded = np.where(is_dark, size * np.float32(12.92), power - np.float32(0.055))
    bend = np.where(is_dark, np.float32(12.92), power / (np.maximum(size, _DARK) * 2.4))
    slope = np.maximum(_compute_luma_plane((rising * bend).astype(np.float32)), np.float32(1e-3))
    return np.copysign(coded, linear).astype(np.float32), slope


def _compute_luma_plane(rgb: FloatArray) -> FloatArray:
    return np.asarray(cv2.transform(rgb, _LUMA), dtype=np.float32).reshape(rgb.shape[:2])
