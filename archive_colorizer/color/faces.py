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
_AROUND: Final = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
"""Row and column of the blocks around the middle one, the highest bit of a pattern first."""


@dataclass(frozen=True, slots=True, eq=False)
class _Stage:
    """Stumps that are weighed together.

    blocks: left, top, width and height of the first of 3 x 3 blocks of each.  tops, lefts:
    16 x stumps, the corners of the blocks, row by row.  worth: stumps x 256, what each pattern
    counts.
    """

    threshold: float
    blocks: tuple[tuple[int, int, int, int], ...]
    tops: _Whole
    lefts: _Whole
    worth: FloatArray


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
    shape = picture.shape[0] - _WINDOW + 1, picture.shape[1] - _WINDOW + 1
    passed = np.ones(shape, dtype=bool)
    for stage in _stages()[:_DENSE]:
        worth = np.zeros(shape, dtype=np.float32)
        for place, worths in zip(stage.blocks, stage.worth, strict=True):
            worth += worths[_patterns_everywhere(sums, place, shape)]
        passed &= worth >= stage.threshold
    tops, lefts = np.nonzero(passed)
    across = sums.shape[1]
    return _Candidates(sums.ravel(), across, tops * across + lefts, size)


def _patterns_everywhere(
    sums: npt.NDArray[np.int32], place: tuple[int, int, int, int], shape: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    """The pattern of a stump in each window; the sum of a block is taken once for all windows."""
    left, top, width, height = place
    sums = sums[top : top + shape[0] + 3 * height, left : left + shape[1] + 3 * width]
    tall = sums[height:] - sums[:-height]
    blocks = tall[:, width:] - tall[:, :-width]

    def block(row: int, column: int) -> npt.NDArray[np.int32]:
        above, before = row * height, column * width
        return blocks[above : above + shape[0], before : before + shape[1]]

    middle = block(1, 1)
    pattern = np.zeros(shape, dtype=np.uint8)
    lighter = np.empty(shape, dtype=bool)
    for row, column in _AROUND:
        np.add(pattern, pattern, out=pattern)
        np.greater_equal(block(row, column), middle, out=lighter)
        np.bitwise_or(pattern, lighter.view(np.uint8), out=pattern)
    return pattern


def _passed(found: list[_Candidates]) -> npt.NDArray[np.float64]:
    """Top, left and size of those that pass all stages: of all sizes at once, for speed."""
    begins = np.cumsum([0, *(len(one.sums) for one in found[:-1])])
    sums = np.concatenate([one.sums for one in found])
    counts = [len(one.at) for one in found]
    begin, across = np.repeat(begins, counts), np.repeat([one.across for one in found], counts)
    size = np.repeat([one.size for one in found], counts)
    at = np.concatenate([one.at for one in found])
    for stage in _stages()[_DENSE:]:
        corners = stage.tops[..., None] * across + stage.lefts[..., None] + (begin + at)
        patterns = _patterns(sums[corners])
        worth = np.take_along_axis(stage.worth, patterns, axis=1).sum(axis=0)
        kept = worth >= stage.threshold
        at, begin, across, size = at[kept], begin[kept], across[kept], size[kept]
    return np.stack([at // across * size / _WINDOW, at % across * size / _WINDOW, size], axis=1)


def _patterns(corners: npt.NDArray[np.int32]) -> _Whole:
    """The 8-bit pattern of 3 x 3 blocks: which of the eight are as light as the middle.

    corners: 16 x ..., the integral at the 4 x 4 corners of the blocks, row by row.
    """
    grid = corners.reshape(4, 4, *corners.shape[1:])
    blocks = np.diff(np.diff(grid, axis=0), axis=1)
    lighter = blocks >= blocks[1, 1]
    around = np.stack([lighter[row, column] for row, column in _AROUND])
    return np.packbits(around, axis=0)[0].astype(np.int64)


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
    return tuple(_stage(stage, raw["features"]) for stage in raw["stages"])


def _stage(raw: dict[str, Any], features: list[list[int]]) -> _Stage:
    blocks = tuple((*features[feature],) for feature, *_ in raw["stumps"])
    tops, lefts = np.transpose([_corners(*place) for place in blocks], (2, 1, 0))
    worth = [_worth(inside, outside, subset) for _, inside, outside, *subset in raw["stumps"]]
    return _Stage(raw["threshold"], blocks, tops, lefts, np.stack(worth))


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
