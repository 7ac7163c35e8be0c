"""The palette of a photograph in color, and a mask moved towards it.

What is compared is a* and b*, in shadows, midtones and lights apart: their means and covariances
(Reinhard et al.: Color Transfer between Images, 2001).  The map between two covariances is the
linear Monge-Kantorovitch one, which moves colors least (Pitie, Kokaram: The Linear
Monge-Kantorovitch Linear Colour Mapping for Example-Based Colour Transfer, 2007).  It is bounded.
"""

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from archive_colorizer.color.correct import in_gamut
from archive_colorizer.color.space import FloatArray, chroma_of_ab, lab_of, lightness_of, rgb_of

Tone: TypeAlias = tuple[float, float, float, float, float, float]
"""Share of the picture; means of a* and b*; variance of a*, covariance, variance of b*."""

_CENTERS: Final = (20.0, 50.0, 80.0)
"""L* of shadows, midtones, lights; between two, a pixel belongs to both."""
_RARE: Final = 0.02
"""A tone with less of the picture says too little: the whole picture speaks for it."""
_FLOOR: Final = 4.0
"""Added to variances, so that what is nearly grey is not torn apart."""
_GAIN: Final = (0.5, 2.0)
_SHIFT: Final = 15.0
"""How much the spread of colors and their mean may change."""

_Matrix: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Palette:
    """The palette in the photograph file `name`: one Tone for each third of lightness, and all."""

    name: str
    sha256: str
    tones: tuple[Tone, Tone, Tone, Tone]


def tones_of(lab: FloatArray) -> tuple[Tone, Tone, Tone, Tone]:
    """Shadows, midtones, lights and all of h x w x 3 L*a*b*."""
    ab = lab[..., 1:].reshape(-1, 2).astype(np.float64)
    shares = [one.reshape(-1) for one in _memberships(lab[..., 0])]
    shadows, middle, lights = (_tone(ab, one) for one in shares)
    return shadows, middle, lights, _tone(ab, np.ones(len(ab)))


def palette_of(rgb: npt.NDArray[np.uint8], name: str, sha256: str) -> Palette:
    """The palette of h x w x 3 sRGB."""
    return Palette(name, sha256, tones_of(lab_of(rgb.astype(np.float32) / np.float32(255))))


def moved(mask: FloatArray, luma: FloatArray, palette: Palette, amount: float) -> FloatArray:
    """The mask (h x w x 2 chroma on h x w luma, 0..1) moved to the palette: 0 not, 1 wholly."""
    if amount == 0:
        return mask
    lab = lab_of(np.clip(rgb_of(luma, in_gamut(mask, luma)), 0, 1))
    ab = lab[..., 1:]
    own = tones_of(lab)
    result = np.zeros_like(ab)
    for at, share in enumerate(_memberships(lightness_of(luma))):
        rare = min(own[at][0], palette.tones[at][0]) < _RARE
        matrix, before, after = _map(own[-1 if rare else at], palette.tones[-1 if rare else at])
        turned = cv2.transform(ab - before.astype(np.float32), matrix.astype(np.float32))
        result += share[..., None] * (turned + after.astype(np.float32))
    return chroma_of_ab(luma, (ab + np.float32(amount) * (result - ab)).astype(np.float32))


def _memberships(lightness: FloatArray) -> list[FloatArray]:
    """How much each pixel belongs to each tone; they sum to 1."""
    bounded = np.clip(lightness, _CENTERS[0], _CENTERS[-1])
    return [
        np.asarray(
            np.clip(1 - np.abs(bounded - center) / (_CENTERS[1] - _CENTERS[0]), 0, 1),
            dtype=np.float32,
        )
        for center in _CENTERS
    ]


def _tone(ab: _Matrix, share: npt.NDArray[Any]) -> Tone:
    total = float(share.sum())
    if total == 0:
        return 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    mean = (share[:, None] * ab).sum(axis=0) / total
    away = ab - mean
    spread = (share[:, None] * away).T @ away / total
    means = float(mean[0]), float(mean[1])
    return total / len(ab), *means, float(spread[0, 0]), float(spread[0, 1]), float(spread[1, 1])


def _map(own: Tone, wanted: Tone) -> tuple[_Matrix, _Matrix, _Matrix]:
    """Matrix, and the means before and after, from one tone to the other."""
    before, after = np.array(own[1:3]), np.array(wanted[1:3])
    way = after - before
    length = float(np.hypot(*way))
    after = before + way * min(1.0, _SHIFT / max(length, 1e-9))
    root = _power(_covariance(own), 0.5)
    back = _power(_covariance(own), -0.5)
    matrix = back @ _power(root @ _covariance(wanted) @ root, 0.5) @ back
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.clip(values, *_GAIN)) @ vectors.T, before, after


def _covariance(tone: Tone) -> _Matrix:
    _, _, _, one, both, other = tone
    return np.array([[one + _FLOOR, both], [both, other + _FLOOR]])


def _power(matrix: _Matrix, exponent: float) -> _Matrix:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.maximum(values, 1e-9) ** exponent) @ vectors.T)
