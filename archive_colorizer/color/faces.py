"""Frontal faces in a small luma plane: multi-block LBP in a cascade, by arrays.

OpenCV 5 has no cascades any more and its detector wants a network of its own, so OpenCV's
trained cascade (frontal_face.json) is evaluated here, for all windows of a size at once.
Source: Liao et al.: Learning Multi-scale Block Local Binary Patterns for Face Recognition, 2007.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import FloatArray

Box: TypeAlias = tuple[int, int, int, int]
"""Top, left, bottom, right in pixels; bottom and right are outside."""

_Whole: TypeAlias = npt.NDArray[np.int64]

_WINDOW: Final = 24
_SMALLEST: Final = 48
"""Pixels of the smallest face that is looked for: smaller ones say little about skin."""
_STEP: Final = 1.25
_NEIGHBORS: Final = 5
"""Windows that must agree; single ones are mostly no faces."""
_OVERLAP: Final = 0.3
_DENSE: Final = 2
"""Stages that every window is put to; after them, windows are few and are picked one by one."""
_BITS: Final = np.array([[128, 64, 32], [1, 0, 16], [2, 4, 8]], dtype=np.intp)
"""Of the blocks around the middle one; OpenCV counts clockwise."""


@dataclass(frozen=True, slots=True, eq=False)
class _Stump:
    """The corners (row, column) of 3 x 3 blocks, and what each of 256 patterns is worth."""

    corners: tuple[tuple[int, int], ...]
    worth: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Stage:
    threshold: float
    stumps: tuple[_Stump, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Candidates:
    """Windows of one size that may hold faces: corners in `sums`, the picture's flat integral."""

    sums: npt.NDArray[np.int32]
    across: int
    at: _Whole
    size: float


def find_faces(luma: FloatArray) -> list[Box]:
    """Upright frontal faces in h x w luma (0..1), the surest first; some are missed."""
    found: list[_Candidates] = []
    size = float(_SMALLEST)
    while size <= min(luma.shape):
        scale = _WINDOW / size
        height, width = (max(_WINDOW, round(side * scale)) for side in luma.shape)
        small = cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA)
        found.append(_promising(np.rint(small * 255).astype(np.uint8), size))
        size *= _STEP
    return _grouped(_passed(found)) if found else []


def _promising(picture: npt.NDArray[np.uint8], size: float) -> _Candidates:
    """The windows of a picture that pass the first stages."""
    sums = np.asarray(cv2.integral(picture), dtype=np.int32)
    rows, columns = (side - _WINDOW + 1 for side in picture.shape)
    passed = np.ones((rows, columns), dtype=bool)
    for stage in _stages()[:_DENSE]:
        worth = np.zeros((rows, columns), dtype=np.float32)
        for stump in stage.stumps:
            corners = [sums[top : top + rows, left : left + columns] for top, left in stump.corners]
            worth += stump.worth[_patterns(np.stack(corners))]
        passed &= worth >= stage.threshold
    tops, lefts = np.nonzero(passed)
    across = sums.shape[1]
    return _Candidates(sums.ravel(), across, tops * across + lefts, size)


def _passed(found: list[_Candidates]) -> npt.NDArray[np.float64]:
    """Top, left and size of those that pass all stages: of all sizes at once, for speed."""
    begins = np.cumsum([0, *(len(one.sums) for one in found[:-1])])
    sums = np.concatenate([one.sums for one in found])
    counts = [len(one.at) for one in found]
    begin, across = np.repeat(begins, counts), np.repeat([one.across for one in found], counts)
    size = np.repeat([one.size for one in found], counts)
    at = np.concatenate([one.at for one in found])
    for stage in _stages()[_DENSE:]:
        worth = np.zeros(len(at), dtype=np.float32)
        for stump in stage.stumps:
            tops, lefts = np.array(stump.corners).T[..., None]
            worth += stump.worth[_patterns(sums[begin + at + tops * across + lefts])]
        kept = worth >= stage.threshold
        at, begin, across, size = at[kept], begin[kept], across[kept], size[kept]
    return np.stack([at // across * size / _WINDOW, at % across * size / _WINDOW, size], axis=1)


def _patterns(corners: npt.NDArray[np.int32]) -> npt.NDArray[np.intp]:
    """The 8-bit pattern of 3 x 3 blocks: which of the eight are as light as the middle.

    corners: 16 x ..., the integral at the 4 x 4 corners of the blocks, row by row.
    """
    grid = corners.reshape(4, 4, *corners.shape[1:])
    blocks = np.diff(np.diff(grid, axis=0), axis=1)
    lighter = blocks >= blocks[1, 1]
    return np.asarray(np.tensordot(_BITS, lighter.astype(np.intp), 2), dtype=np.intp)


def _grouped(windows: npt.NDArray[np.float64]) -> list[Box]:
    """Windows (top, left, size) that lie on one another, joined; those alone are left out."""
    groups: list[tuple[int, Box]] = []
    left = windows
    while len(left):
        size, others = left[0, 2], left[:, 2]
        tall, wide = (
            np.minimum(left[0, axis] + size, left[:, axis] + others)
            - np.maximum(left[0, axis], left[:, axis])
            for axis in (0, 1)
        )
        shared = np.clip(tall, 0, None) * np.clip(wide, 0, None)
        same = shared / (size**2 + others**2 - shared) > _OVERLAP
        if np.count_nonzero(same) >= _NEIGHBORS:
            top, start, across = left[same].mean(axis=0)
            box = (int(top), int(start), int(top + across), int(start + across))
            groups.append((int(np.count_nonzero(same)), box))
        left = left[~same]
    return [box for _, box in sorted(groups, reverse=True)]


@cache
def _stages() -> tuple[_Stage, ...]:
    text = files(__package__).joinpath("frontal_face.json").read_text(encoding="ascii")
    raw: dict[str, Any] = json.loads(text)
    return tuple(
        _Stage(
            stage["threshold"],
            tuple(
                _Stump(_corners(*raw["features"][feature]), _worth(inside, outside, subset))
                for feature, inside, outside, *subset in stage["stumps"]
            ),
        )
        for stage in raw["stages"]
    )


def _corners(left: int, top: int, width: int, height: int) -> tuple[tuple[int, int], ...]:
    """Of 3 x 3 blocks, by the rectangle of the first."""
    return tuple(
        (top + row * height, left + column * width) for row in range(4) for column in range(4)
    )


def _worth(inside: float, outside: float, subset: list[int]) -> FloatArray:
    """What each pattern is worth: `inside` for those whose bit is set in the eight words."""
    words = np.array(subset, dtype=np.int64).astype(np.uint32)
    bits = (words[:, None] >> np.arange(32, dtype=np.uint32)) & 1
    return np.where(bits.ravel() == 1, inside, outside).astype(np.float32)
