"""Detect frontal faces in a small luma plane with a cascade of multi-block LBP features.

OpenCV 5 dropped cascades and its detector needs a network file, so OpenCV's trained cascade
(frontal_face.json) is evaluated here with arrays, for all windows of a size at once.
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

from archive_colorizer.color.space import ByteArray, FloatArray

Box: TypeAlias = tuple[int, int, int, int]
"""Top, left, bottom, right in pixels; bottom and right are exclusive."""

_Whole: TypeAlias = npt.NDArray[np.int32]
_Sums: TypeAlias = npt.NDArray[np.int16]

_WINDOW_SIDE: Final = 24
_MIN_FACE: Final = 48
"""Pixels of the smallest face; smaller ones say little about skin."""
_LEVEL_FACTOR: Final = 1.25
_MIN_WINDOWS: Final = 5
"""Windows that must agree; most single ones are false."""
_MIN_OVERLAP: Final = 0.3
_DENSE_STAGES: Final = 3
"""Stages that are computed for every window; after them, few windows remain."""
_PATTERN_COUNT: Final = 256
_RING: Final = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
"""Row and column of the blocks around the middle one, from the highest bit of a pattern."""


@dataclass(frozen=True, slots=True, eq=False)
class _Stage:
    """Hold decision stumps, whose votes are summed; votes is stumps x 256, by pattern.

    blocks: left, top, width and height of the first of 3 x 3 blocks, for each stump.  tops,
    lefts: 16 x stumps, the corners of the blocks, row by row.
    """

    threshold: float
    blocks: tuple[tuple[int, int, int, int], ...]
    tops: _Whole
    lefts: _Whole
    votes: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Pyramid:
    """Hold the picture at all sizes side by side, so that one offset is valid for all.

    sums: the last 16 bits of the integral image, which are exact for blocks, whose sums are
    below 2^15.  levels: of the same shape, the level whose window begins there, -1 for none.
    corners, sizes: top and left of each level, and its size of a face in the picture.
    """

    sums: _Sums
    levels: npt.NDArray[np.int8]
    corners: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.float64]

    def locate_windows(self, positions: _Whole) -> npt.NDArray[np.float64]:
        """Return top, left and size in the picture of windows at positions of the flat sums."""
        level = self.levels.ravel()[positions]
        offsets = np.stack(np.divmod(positions, self.sums.shape[1]), axis=1) - self.corners[level]
        size = self.sizes[level][:, None]
        return np.concatenate([offsets * size / _WINDOW_SIDE, size], axis=1)


def find_faces(luma: FloatArray) -> list[Box]:
    """Find upright frontal faces in h x w luma (0..1), the most certain first."""
    if min(luma.shape) < _MIN_FACE:
        return []
    pyramid = _build_pyramid(luma)
    positions = _filter_windows(pyramid.sums, _find_candidates(pyramid))
    return _group_windows(pyramid.locate_windows(positions))


def _build_pyramid(luma: FloatArray) -> _Pyramid:
    levels, sizes = zip(*_iterate_levels(luma), strict=True)
    corners = _arrange_levels([level.shape for level in levels])
    ends = [np.add(corner, level.shape) for corner, level in zip(corners, levels, strict=True)]
    sheet = np.zeros(np.max(ends, axis=0), dtype=np.uint8)
    level_map = np.full(np.add(sheet.shape, 1), -1, dtype=np.int8)
    for number, (top, left) in enumerate(corners):
        height, width = levels[number].shape
        sheet[top : top + height, left : left + width] = levels[number]
        rows, columns = height - _WINDOW_SIDE + 1, width - _WINDOW_SIDE + 1
        level_map[top : top + rows, left : left + columns] = number
    sums = np.asarray(cv2.integral(sheet)).astype(np.int16)
    return _Pyramid(sums, level_map, np.array(corners), np.array(sizes))


def _iterate_levels(luma: FloatArray) -> Iterator[tuple[ByteArray, float]]:
    """Yield the picture scaled so that a face of some size fills a window, and that size."""
    size = float(_MIN_FACE)
    while size <= min(luma.shape):
        scale = _WINDOW_SIDE / size
        height, width = (max(_WINDOW_SIDE, round(side * scale)) for side in luma.shape)
        small = cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA)
        yield np.rint(small * 255).astype(np.uint8), size
        size *= _LEVEL_FACTOR


def _arrange_levels(shapes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return top and left of each level, in rows that are as wide as the first level."""
    corners, top, left, low = [], 0, 0, 0
    for height, width in shapes:
        if left + width > shapes[0][1]:
            top, left = low, 0
        corners.append((top, left))
        left, low = left + width, max(low, top + height)
    return corners


def _find_candidates(pyramid: _Pyramid) -> _Whole:
    """Find the windows that pass the first stages, as positions in the flat sums."""
    flat, width = pyramid.sums.ravel(), pyramid.sums.shape[1]
    count = flat.size - _WINDOW_SIDE * (width + 1)
    passed = pyramid.levels.ravel()[:count] >= 0
    for stage in _load_stages()[:_DENSE_STAGES]:
        score = np.zeros(count, dtype=np.float32)
        for block, votes in zip(stage.blocks, stage.votes, strict=True):
            patterns = _compute_patterns(_sum_blocks(flat, width, block, count))
            score += cv2.LUT(patterns[None], votes[None])[0]
        passed &= score >= stage.threshold
    return np.flatnonzero(passed).astype(np.int32)


def _sum_blocks(
    sums: _Sums, row_length: int, block: tuple[int, int, int, int], count: int
) -> list[list[_Sums]]:
    """Sum the blocks of a stump for all windows at once."""
    left, top, width, height = block
    wide = sums[width:] - sums[:-width]
    blocks = wide[height * row_length :] - wide[: -height * row_length]
    starts = [
        [(top + row * height) * row_length + left + column * width for column in range(3)]
        for row in range(3)
    ]
    return [[blocks[begin : begin + count] for begin in row] for row in starts]


def _filter_windows(sums: _Sums, positions: _Whole) -> _Whole:
    """Keep the windows that pass all other stages."""
    flat, row_length = sums.ravel(), sums.shape[1]
    for stage in _load_stages()[_DENSE_STAGES:]:
        corners = (stage.tops * row_length + stage.lefts)[..., None] + positions
        grid = flat.take(corners).reshape(4, 4, *corners.shape[1:])
        patterns = _compute_patterns(np.diff(np.diff(grid, axis=0), axis=1))
        first = np.arange(0, stage.votes.size, _PATTERN_COUNT)[:, None]
        score = stage.votes.take(patterns + first).sum(axis=0)
        positions = positions[score >= stage.threshold]
    return positions


def _compute_patterns(blocks: Sequence[Sequence[_Sums]] | _Sums) -> ByteArray:
    """Compute the 8-bit pattern of 3 x 3 blocks: which are at least as light as the middle."""
    middle = blocks[1][1]
    pattern = np.zeros(middle.shape, dtype=np.uint8)
    lighter = np.empty(middle.shape, dtype=bool)
    for row, column in _RING:
        np.add(pattern, pattern, out=pattern)
        np.greater_equal(blocks[row][column], middle, out=lighter)
        np.bitwise_or(pattern, lighter.view(np.uint8), out=pattern)
    return pattern


def _group_windows(windows: npt.NDArray[np.float64]) -> list[Box]:
    """Join overlapping windows (top, left, size) and drop single ones."""
    groups: list[tuple[int, Box]] = []
    remaining = windows
    while len(remaining):
        size, sizes = remaining[0, 2], remaining[:, 2]
        tall, wide = (
            np.minimum(remaining[0, axis] + size, remaining[:, axis] + sizes)
            - np.maximum(remaining[0, axis], remaining[:, axis])
            for axis in (0, 1)
        )
        intersection = np.clip(tall, 0, None) * np.clip(wide, 0, None)
        overlapping = intersection / (size**2 + sizes**2 - intersection) > _MIN_OVERLAP
        if np.count_nonzero(overlapping) >= _MIN_WINDOWS:
            top, start, across = remaining[overlapping].mean(axis=0)
            box = (int(top), int(start), int(top + across), int(start + across))
            groups.append((int(np.count_nonzero(overlapping)), box))
        remaining = remaining[~overlapping]
    return [box for _, box in sorted(groups, reverse=True)]


@cache
def _load_stages() -> tuple[_Stage, ...]:
    text = files(__package__).joinpath("frontal_face.json").read_text(encoding="ascii")
    raw: dict[str, Any] = json.loads(text)
    return tuple(_parse_stage(stage, raw["features"]) for stage in raw["stages"])


def _parse_stage(raw: dict[str, Any], features: list[list[int]]) -> _Stage:
    blocks = tuple((*features[feature],) for feature, *_ in raw["stumps"])
    grid = [(row, column) for row in range(4) for column in range(4)]
    corners = [
        [(top + row * height, left + column * width) for row, column in grid]
        for left, top, width, height in blocks
    ]
    tops, lefts = np.transpose(np.array(corners, dtype=np.int32), (2, 1, 0))
    votes = [_decode_votes(stump[1], stump[2], stump[3:]) for stump in raw["stumps"]]
    return _Stage(raw["threshold"], blocks, tops, lefts, np.stack(votes))


def _decode_votes(inside: float, outside: float, subset: list[int]) -> FloatArray:
    """Expand a subset, 256 bits in eight words, to votes: inside where the bit is set."""
    words = np.array(subset, dtype=np.int64).astype(np.uint32)
    bits = (words[:, None] >> np.arange(32, dtype=np.uint32)) & 1
    return np.where(bits.ravel() == 1, inside, outside).astype(np.float32)
