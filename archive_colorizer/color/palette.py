"""Measure the palette of a color photograph, and move a mask towards it.

A palette is the means and covariances of a* and b* in shadows, midtones and lights (Reinhard et
al.: Color Transfer between Images, 2001).  The map between two covariances is the linear
Monge-Kantorovitch one, which moves colors least (Pitie, Kokaram: The Linear Monge-Kantorovitch
Linear Colour Mapping for Example-Based Colour Transfer, 2007), within bounds.
"""

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from archive_colorizer.color.correct import compress_to_gamut
from archive_colorizer.color.space import (
    ByteArray,
    FloatArray,
    compute_lightness,
    compute_rgb,
    convert_ab_to_chroma,
    convert_rgb_to_lab,
)

ToneStatistics: TypeAlias = tuple[float, float, float, float, float, float]
"""Share of the picture; means of a* and b*; variance of a*, covariance, variance of b*."""
Tones: TypeAlias = tuple[ToneStatistics, ToneStatistics, ToneStatistics, ToneStatistics]

_CENTERS: Final = (20.0, 50.0, 80.0)
"""L* of shadows, midtones, lights; a pixel between two belongs to both."""
_RARE: Final = 0.02
"""A tone with a smaller share of the picture uses the statistics of the whole picture."""
_FLOOR: Final = 4.0
"""Added to variances, so that nearly grey colors are not stretched apart."""
_GAIN: Final = (0.5, 2.0)
_SHIFT: Final = 15.0
"""Bounds on the change of the deviation and of the mean of colors."""

_Matrix: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Palette:
    """Hold the statistics of photograph `name`: shadows, midtones, lights and the whole."""

    name: str
    sha256: str
    tones: Tones

    @classmethod
    def measure(cls, rgb: ByteArray, name: str, sha256: str) -> "Palette":
        """Measure the palette of an h x w x 3 sRGB photograph."""
        lab = convert_rgb_to_lab(rgb.astype(np.float32) / np.float32(255))
        return cls(name, sha256, measure_tones(lab))

    def apply(self, mask: FloatArray, luma: FloatArray, amount: float) -> FloatArray:
        """Move a mask (h x w x 2 chroma on h x w luma, 0..1) towards a palette; amount: 0 to 1."""
        if amount == 0:
            return mask
        lab = convert_rgb_to_lab(np.clip(compute_rgb(luma, compress_to_gamut(mask, luma)), 0, 1))
        ab = lab[..., 1:]
        tones = measure_tones(lab)
        result = np.zeros_like(ab)
        for index, share in enumerate(_compute_memberships(compute_lightness(luma))):
            is_rare = min(tones[index][0], self.tones[index][0]) < _RARE
            tone = -1 if is_rare else index
            matrix, before, after = _compute_transfer(tones[tone], self.tones[tone])
            shifted = cv2.transform(ab - before.astype(np.float32), matrix.astype(np.float32))
            result += share[..., None] * (shifted + after.astype(np.float32))
        moved = ab + np.float32(amount) * (result - ab)
        return convert_ab_to_chroma(luma, moved.astype(np.float32))


def measure_tones(lab: FloatArray) -> Tones:
    """Measure shadows, midtones, lights and the whole of h x w x 3 L*a*b*."""
    ab = lab[..., 1:].reshape(-1, 2).astype(np.float64)
    shares = [share.reshape(-1) for share in _compute_memberships(lab[..., 0])]
    shadows, middle, lights = (_measure_tone(ab, share) for share in shares)
    return shadows, middle, lights, _measure_tone(ab, np.ones(len(ab)))


def _compute_memberships(lightness: FloatArray) -> list[FloatArray]:
    """Compute how much each pixel belongs to each tone; the memberships sum to 1."""
    bounded = np.clip(lightness, _CENTERS[0], _CENTERS[-1])
    return [
        np.asarray(
            np.clip(1 - np.abs(bounded - center) / (_CENTERS[1] - _CENTERS[0]), 0, 1),
            dtype=np.float32,
        )
        for center in _CENTERS
    ]


def _measure_tone(ab: _Matrix, share: npt.NDArray[Any]) -> ToneStatistics:
    total = float(share.sum())
    if total == 0:
        return 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    mean = (share[:, None] * ab).sum(axis=0) / total
    deviation = ab - mean
    spread = (share[:, None] * deviation).T @ deviation / total
    means = float(mean[0]), float(mean[1])
    return total / len(ab), *means, float(spread[0, 0]), float(spread[0, 1]), float(spread[1, 1])


def _compute_transfer(
    source: ToneStatistics, target: ToneStatistics
) -> tuple[_Matrix, _Matrix, _Matrix]:
    """Compute the matrix and the means before and after for a move between two tones."""
    before, after = np.array(source[1:3]), np.array(target[1:3])
    shift = after - before
    length = float(np.hypot(*shift))
    after = before + shift * min(1.0, _SHIFT / max(length, 1e-9))
    root = _raise_to_power(_build_covariance(source), 0.5)
    inverse_root = _raise_to_power(_build_covariance(source), -0.5)
    middle = _raise_to_power(root @ _build_covariance(target) @ root, 0.5)
    matrix = inverse_root @ middle @ inverse_root
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.clip(values, *_GAIN)) @ vectors.T, before, after


def _build_covariance(tone: ToneStatistics) -> _Matrix:
    _, _, _, variance_a, covariance, variance_b = tone
    return np.array([[variance_a + _FLOOR, covariance], [covariance, variance_b + _FLOOR]])


def _raise_to_power(matrix: _Matrix, exponent: float) -> _Matrix:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.maximum(values, 1e-9) ** exponent) @ vectors.T)
