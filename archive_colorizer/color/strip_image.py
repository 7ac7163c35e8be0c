"""A picture in color that need never be whole in memory: it is made strip by strip."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import Plane


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """R'G'B' or R'G'B'A: H x W x 3 or 4 samples, uint8 or uint16.

    strips: begins at the top each time it is called, and gives whole rows in their order, n x W
        x 3 or 4 each; a strip is valid until the next one is asked for.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    strips: Callable[[], Iterator[Plane]]

    @classmethod
    def of(cls, samples: Plane) -> "Picture":
        """One that is whole already."""
        height, width, bands = samples.shape
        return cls((height, width, bands), samples.dtype, lambda: iter((samples,)))

    @property
    def nbytes(self) -> int:
        """Of all samples."""
        return math.prod(self.shape) * self.dtype.itemsize

    def whole(self) -> Plane:
        """All samples, row by row; those that it was made of where it was whole already."""
        parts = self.strips()
        first = next(parts)
        if len(first) == self.shape[0]:
            return _contiguous(first)
        result: npt.NDArray[Any] = np.empty(self.shape, self.dtype)
        result[: len(first)] = first
        top = len(first)
        for strip in parts:
            result[top : top + len(strip)] = strip
            top += len(strip)
        return result

    def rows(self, count: int) -> Iterator[Plane]:
        """Strips of `count` rows, the last one of those that are left, each valid as `strips`."""
        held: npt.NDArray[Any] = np.empty((count, *self.shape[1:]), self.dtype)
        filled = 0
        for strip in self.strips():
            at = 0
            while at < len(strip):
                part = strip[at : at + count - filled]
                at += len(part)
                if len(part) == count:
                    yield part
                    continue
                held[filled : filled + len(part)] = part
                filled += len(part)
                if filled == count:
                    yield held
                    filled = 0
        if filled:
            yield held[:filled]


def _contiguous(samples: Plane) -> Plane:
    row_by_row: Plane = np.ascontiguousarray(samples)  # type: ignore[assignment]
    return row_by_row
