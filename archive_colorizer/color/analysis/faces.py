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

_Whole: TypeAlias = npt.NDArray[np.int32]
_Sums: TypeAlias = npt.NDArray[np.int16]

_WINDOW: Final = 24
_SMALLEST: Final = 48
"""Pixels of the smallest face that is looked for: smaller ones say little about skin."""
_STEP: Final = 1.25
_NEIGHBORS: Final = 5
"""Windows that must agree; single ones are mostly no faces."""
_OVERLAP: Final = 0.3
_DENSE: Final = 3
"""Stages that every window is put to; after them, windows are few and are picked one by one."""
_PATTERNS: Final = 256
"""Of eight bits."""
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
class _Sheet:
    """The picture in all sizes side by side, so that one offset means the same in each.

    sums: the sheet's integral, of which the last 16 bits are kept: what they say about a block
    is right, since none has a sum of 2^15.  owner: of the same shape, the level whose window
    begins there, -1 for none.  places, sizes: top and left of each level, and of which faces it is.
    """

    sums: _Sums
    owner: npt.NDArray[np.int8]
    places: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.float64]

    def windows(self, at: _Whole) -> npt.NDArray[np.float64]:
        """Top, left and size in the picture of windows by their places in the flat sums."""
        level = self.owner.ravel()[at]
        corners = np.stack(np.divmod(at, self.sums.shape[1]), axis=1) - self.places[level]
        size = self.sizes[level][:, None]
        return np.concatenate([corners * size / _WINDOW, size], axis=1)


def find_faces(luma: FloatArray) -> list[Box]:
    """Upright frontal faces in h x w luma (0..1), the surest first; some are missed."""
    if min(luma.shape) < _SMALLEST:
        return []
    sheet = _sheet(luma)
    return _grouped(sheet.windows(_passed(sheet.sums, _promising(sheet))))


def _sheet(luma: FloatArray) -> _Sheet:
    levels, sizes = zip(*_levels(luma), strict=True)
    places = _shelved([level.shape for level in levels])
    ends = [np.add(place, level.shape) for place, level in zip(places, levels, strict=True)]
    sheet = np.zeros(np.max(ends, axis=0), dtype=np.uint8)
    owner = np.full(np.add(sheet.shape, 1), -1, dtype=np.int8)
    for number, (top, left) in enumerate(places):
        height, width = levels[number].shape
        sheet[top : top + height, left : left + width] = levels[number]
        owner[top : top + height - _WINDOW + 1, left : left + width - _WINDOW + 1] = number
    sums = np.asarray(cv2.integral(sheet)).astype(np.int16)
    return _Sheet(sums, owner, np.array(places), np.array(sizes))


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


def _promising(sheet: _Sheet) -> _Whole:
    """The windows that pass the first stages, by their places in the flat sums."""
    flat, across = sheet.sums.ravel(), sheet.sums.shape[1]
    count = flat.size - _WINDOW * (across + 1)
    passed = sheet.owner.ravel()[:count] >= 0
    for stage in _stages()[:_DENSE]:
        worth = np.zeros(count, dtype=np.float32)
        for place, worths in zip(stage.blocks, stage.worth, strict=True):
            patterns = _patterns(_blocks_everywhere(flat, across, place, count))
            worth += cv2.LUT(patterns[None], worths[None])[0]
        passed &= worth >= stage.threshold
    return np.flatnonzero(passed).astype(np.int32)


def _blocks_everywhere(
    sums: _Sums, across: int, place: tuple[int, int, int, int], count: int
) -> list[list[_Sums]]:
    """The blocks of a stump in each window, each of which is summed up once for all windows."""
    left, top, width, height = place
    wide = sums[width:] - sums[:-width]
    blocks = wide[height * across :] - wide[: -height * across]
    begins = [
        [(top + row * height) * across + left + column * width for column in range(3)]
        for row in range(3)
    ]
    return [[blocks[begin : begin + count] for begin in row] for row in begins]


def _passed(sums: _Sums, at: _Whole) -> _Whole:
    """Those of the windows that pass all other stages."""
    flat, across = sums.ravel(), sums.shape[1]
    for stage in _stages()[_DENSE:]:
        corners = (stage.tops * across + stage.lefts)[..., None] + at
        grid = flat.take(corners).reshape(4, 4, *corners.shape[1:])
        patterns = _patterns(np.diff(np.diff(grid, axis=0), axis=1))
        first = np.arange(0, stage.worth.size, _PATTERNS)[:, None]
        worth = stage.worth.take(patterns + first).sum(axis=0)
        at = at[worth >= stage.threshold]
    return at


def _patterns(blocks: Sequence[Sequence[_Sums]] | _Sums) -> npt.NDArray[np.uint8]:
    """The 8-bit pattern of 3 x 3 blocks: which of the eight are as light as the middle."""
    middle = blocks[1][1]
    pattern = np.zeros(middle.shape, dtype=np.uint8)
    lighter = np.empty(middle.shape, dtype=bool)
    for row, column in _AROUND:
        np.add(pattern, pattern, out=pattern)
        np.greater_equal(blocks[row][column], middle, out=lighter)
        np.bitwise_or(pattern, lighter.view(np.uint8), out=pattern)
    return pattern


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
    corners = np.array([_corners(*place) for place in blocks], dtype=np.int32)
    tops, lefts = np.transpose(corners, (2, 1, 0))
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
