"""Split, join, convert and turn planes of samples."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import Plane
from archive_colorizer.image.metadata.color_space import ColorPlan
from archive_colorizer.image.metadata.model import SourceMetadata

STRIP_ROWS: Final = 256
"""Rows that are processed at a time."""


def allocate_plane(shape: tuple[int, int], depth: np.dtype[Any], metadata: SourceMetadata) -> Plane:
    """Allocate a plane to fill with samples as stored, which is upright in memory.

    Turning it upright then copies nothing.
    """
    turn = metadata.prepare(ColorPlan(None, None)).orientation
    plane: Any = np.empty(shape[::-1] if turn >= 5 else shape, depth)
    if turn in (2, 3, 6, 7):
        plane = plane[:, ::-1]
    if turn in (3, 4, 7, 8):
        plane = plane[::-1]
    stored: Plane = plane.swapaxes(0, 1) if turn >= 5 else plane
    return stored


def extract_channel(samples: Plane, index: int) -> Plane:
    """Copy one channel of H x W x C samples."""
    plane: Plane = np.ascontiguousarray(samples[..., index])  # type: ignore[assignment]
    return plane


def divide_by_alpha(samples: Plane, alpha: Plane) -> Plane:
    """Undo the multiplication of samples by alpha; where alpha is 0 they stay."""
    top = np.iinfo(samples.dtype).max
    result = np.empty_like(samples)
    for row in range(0, samples.shape[0], STRIP_ROWS):
        part = samples[row : row + STRIP_ROWS].astype(np.uint32)
        opacity = alpha[row : row + STRIP_ROWS].astype(np.uint32)
        opacity = opacity if part.ndim == 2 else opacity[..., None]
        whole = np.where(opacity, (part * top + opacity // 2) // np.maximum(opacity, 1), part)
        result[row : row + STRIP_ROWS] = np.minimum(whole, top)
    return result


def widen_samples(samples: npt.NDArray[Any], depth: int) -> Plane:
    """Scale samples of `depth` bit to 8 or 16, so that white stays white."""
    top = 255 if depth < 8 else 65535
    table = np.arange(1 << depth, dtype=np.uint32) * top // ((1 << depth) - 1)
    return np.asarray(table.astype(np.uint8 if depth < 8 else np.uint16)[samples])


def round_to_8_bit(samples: Plane) -> npt.NDArray[np.uint8]:
    """Round 16 bit to 8, strip by strip."""
    result = np.empty(samples.shape, np.uint8)
    for top in range(0, samples.shape[0], STRIP_ROWS):
        part = samples[top : top + STRIP_ROWS].astype(np.uint32)
        result[top : top + STRIP_ROWS] = (part + 128) // 257
    return result


def is_grey(rgb: Plane) -> bool:
    """Check whether R = G = B everywhere in H x W x 3."""
    parts = (rgb[top : top + STRIP_ROWS] for top in range(0, len(rgb), STRIP_ROWS))
    return all(np.array_equal(part[..., :2], part[..., 1:3]) for part in parts)
