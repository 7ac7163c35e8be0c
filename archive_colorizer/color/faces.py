"""Frontal faces in a small luma plane: multi-block LBP in a cascade, by arrays.

OpenCV 5 has no cascades any more and its detector wants a network of its own, so OpenCV's
trained cascade (frontal_face.json) is evaluated here, for all windows of a size at once.
Source: Liao et al.: Learning Multi-scale Block Local Binary Patterns for Face Recognition, 2007.
"""

import json
from collections.abc import Iterator, Sequence
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
_DENSE: Final = 3
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
class _Pyramid:
    """The picture in all sizes on one sheet, so that one offset means the same in each.

    sums: the sheet's integral, flat; `across` of them are a row.  ends: the last window of each
    level, by its place in `sums`.  windows: whether a window that begins there is of one level.
    """

    sums: npt.NDArray[np.int32]
    across: int
    windows: npt.NDArray[np.bool_]
    origins: npt.NDArray[np.int16]


def find_faces(luma: FloatArray) -> list[Box]:
    """Upright frontal faces in h x w luma (0..1), the surest first; some are missed."""
    if min(luma.shape) < _SMALLEST:
        return []
    levels = list(_levels(luma))
    places = _shelved([level.shape for level, _ in levels])
    sheet = np.zeros(np.max([(y + l.shape[0], x + l.shape[1]) for (y, x), (l, _) in zip(places, levels)], axis=0), np.uint8)
    owner = np.full((sheet.shape[0] + 1, sheet.shape[1] + 1), -1, np.int8)
    for number, ((top, left), (level, _)) in enumerate(zip(places, levels, strict=True)):
        height, width = level.shape
        sheet[top : top + height, left : left + width] = level
        owner[top : top + height - _WINDOW + 1, left : left + width - _WINDOW + 1] = number
    sums = np.asarray(cv2.integral(sheet), dtype=np.int32)
    at = _passed(sums, _promising(sums, owner))
    number = owner.ravel()[at]
    size = np.array([one for _, one in levels])[number]
    tops, lefts = np.divmod(at, sums.shape[1])
    origin = np.array(places)[number]
    scale = size / _WINDOW
    return _grouped(np.stack([(tops - origin[:, 0]) * scale, (lefts - origin[:, 1]) * scale, size], axis=1))


def _levels(luma: FloatArray) -> Iterator[tuple[npt.NDArray[np.uint8], float]]:
    """The picture so small that a face of a certain size fills a window, and that size."""
    size = float(_SMALLEST)
    while size <= min(luma.shape):
        scale = _WINDOW / size
        height, width = (max(_WINDOW, round(side * scale)) for side in luma.shape)
        small = cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA)
        yield np.rint(small * 255).astype(np.uint8), size
        size *= _STEP


def _shelved(shapes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Top and left of each on a sheet as wide as the first, side by side where there is room."""
    places, top, left, low = [], 0, 0, 0
    for height, width in shapes:
        if left + width > shapes[0][1]:
            top, left = low, 0
        places.append((top, left))
        left, low = left + width, max(low, top + height)
    return places


def _promising(sums: npt.NDArray[np.int32], owner: npt.NDArray[np.int8]) -> _Whole:
    """The windows that pass the first stages, by their places in the flat `sums`."""
    across = sums.shape[1]
    count = sums.size - _WINDOW * (across + 1)
    passed = owner.ravel()[:count] >= 0
    for stage in _stages()[:_DENSE]:
        worth = np.zeros(count, dtype=np.float32)
        for place, worths in zip(stage.blocks, stage.worth, strict=True):
            worth += worths[_patterns_everywhere(sums.ravel(), across, place, count)]
        passed &= worth >= stage.threshold
    return np.flatnonzero(passed)


def _patterns_everywhere(
    sums: npt.NDArray[np.int32], across: int, place: tuple[int, int, int, int], count: int
) -> npt.NDArray[np.uint8]:
    """The pattern of a stump in each window; the sum of a block is taken once for all windows."""
    left, top, width, height = place
    wide = sums[width:] - sums[:-width]
    blocks = wide[height * across :] - wide[: -height * across]
    first = top * across + left

    def block(row: int, column: int) -> npt.NDArray[np.int32]:
        begin = first + row * height * across + column * width
        return blocks[begin : begin + count]

    middle = block(1, 1)
    pattern = np.zeros(count, dtype=np.uint8)
    lighter = np.empty(count, dtype=bool)
    for row, column in _AROUND:
        np.add(pattern, pattern, out=pattern)
        np.greater_equal(block(row, column), middle, out=lighter)
        np.bitwise_or(pattern, lighter.view(np.uint8), out=pattern)
    return pattern


def _passed(sums: npt.NDArray[np.int32], at: _Whole) -> _Whole:
    """Those of the windows that pass all other stages."""
    flat, across = sums.ravel(), sums.shape[1]
    for stage in _stages()[_DENSE:]:
        corners = (stage.tops * across + stage.lefts)[..., None] + at
        patterns = _patterns(flat.take(corners))
        worth = np.take_along_axis(stage.worth, patterns, axis=1).sum(axis=0)
        at = at[worth >= stage.threshold]
    return at


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
