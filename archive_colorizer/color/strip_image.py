"""A color image that is produced strip by strip, so that it is never whole in memory."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import Plane


@dataclass(frozen=True, slots=True, eq=False)
class StripImage:
    """Hold the shape and dtype (uint8 or uint16) of an R'G'B' or R'G'B'A image, and its source.

    strips: starts at the top on each call and yields whole rows in order, n x W x 3 or 4 each;
        a strip is valid until the next one is requested.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    strips: Callable[[], Iterator[Plane]]

    @classmethod
    def from_samples(cls, samples: Plane) -> "StripImage":
        height, width, bands = samples.shape
        return cls((height, width, bands), samples.dtype, lambda: iter((samples,)))

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def assemble(self) -> Plane:
        """Return all samples, C-contiguous, without a copy if they are one contiguous strip."""
        parts = self.strips()
        first = next(parts)
        if len(first) == self.shape[0]:
            return np.ascontiguousarray(first)  # type: ignore[return-value]
        result: npt.NDArray[Any] = np.empty(self.shape, self.dtype)
        result[: len(first)] = first
        top = len(first)
        for strip in parts:
            result[top : top + len(strip)] = strip
            top += len(strip)
        return result

    def iterate_rows(self, count: int) -> Iterator[Plane]:
        """Yield strips of `count` rows (the last may be shorter), valid like those of `strips`."""
        buffer: npt.NDArray[Any] = np.empty((count, *self.shape[1:]), self.dtype)
        filled = 0
        for strip in self.strips():
            offset = 0
            while offset < len(strip):
                part = strip[offset : offset + count - filled]
                offset += len(part)
                if len(part) == count:
                    yield part
                    continue
                buffer[filled : filled + len(part)] = part
                filled += len(part)
                if filled == count:
                    yield buffer
                    filled = 0
        if filled:
            yield buffer[:filled]

    def attach_alpha(self, alpha: Plane | None) -> "StripImage":
        """Add alpha as a fourth channel, if there is alpha."""
        if alpha is None:
            return self
        height, width, _ = self.shape

        def attach_strips() -> Iterator[Plane]:
            top = 0
            for strip in self.strips():
                part = alpha[top : top + len(strip), :, None].astype(strip.dtype)
                joined: Plane = np.concatenate([strip, part], axis=2)
                yield joined
                top += len(strip)

        return StripImage((height, width, 4), self.dtype, attach_strips)
