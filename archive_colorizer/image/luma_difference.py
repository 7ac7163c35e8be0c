"""Compare luma planes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np

from archive_colorizer.color.space import Plane

Box: TypeAlias = tuple[int, int, int, int]
"""Top, left, bottom, right in pixels; bottom and right are outside."""


@dataclass(frozen=True, slots=True)
class LumaDifference:
    """The maximum difference of two planes in code values, and a sentence about it.

    masked: a corner was left out.
    """

    maximum: int
    summary: str
    masked: bool = False

    @classmethod
    def from_parts(cls, parts: Iterable[tuple[Plane, Plane]]) -> "LumaDifference":
        """Compare planes part by part; the parts of a pair have the same size and depth."""
        return _summarize((cv2.absdiff(before, after) for before, after in parts), False)

    @classmethod
    def from_shapes(
        cls,
        shape: tuple[int, ...],
        depth: np.dtype[Any],
        other: tuple[int, ...],
        other_depth: np.dtype[Any],
    ) -> "LumaDifference":
        """Report planes of different size or depth as differing by the whole range of the first."""
        first = f"{shape[1]} x {shape[0]} {depth}"
        second = f"{other[1]} x {other[0]} {other_depth}"
        return cls(int(np.iinfo(depth).max), f"luma was {first} and is {second}")

    @classmethod
    def compare(cls, before: Plane, after: Plane, excluded: Box | None = None) -> "LumaDifference":
        """Compare luma planes at their own depth, outside the box `excluded`."""
        if before.shape != after.shape or before.dtype != after.dtype:
            return LumaDifference.from_shapes(before.shape, before.dtype, after.shape, after.dtype)
        difference = cv2.absdiff(before, after)
        if excluded is not None:
            top, left, bottom, right = excluded
            difference[top:bottom, left:right] = 0
        return _summarize((difference,), excluded is not None)


def _summarize(differences: Iterable[Any], masked: bool) -> LumaDifference:
    maximum = count = 0
    for difference in differences:
        maximum = max(maximum, int(difference.max(initial=0)))
        count += int(np.count_nonzero(difference > 1))
    summary = f"luma differs by up to {maximum} code values, by more than 1 in {count} pixels"
    return LumaDifference(maximum, summary, masked)
