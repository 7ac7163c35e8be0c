"""How like two luma planes are."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np

from archive_colorizer.color.space import Plane

Box: TypeAlias = tuple[int, int, int, int]
"""Top, left, bottom, right in pixels; bottom and right are outside."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """The greatest difference of two planes in code values, and a sentence on it.

    `masked` says that a corner was left out.  Planes of other sizes or depths differ by all
    that there is.
    """

    difference: int
    said: str
    masked: bool = False


def luma_likeness(before: Plane, after: Plane, without: Box | None = None) -> Likeness:
    """Compare luma planes at their own depth, except for what lies in `without`."""
    if before.shape != after.shape or before.dtype != after.dtype:
        return unlike(before.shape, before.dtype, after.shape, after.dtype)
    difference = cv2.absdiff(before, after)
    if without is not None:
        top, left, bottom, right = without
        difference[top:bottom, left:right] = 0
    return _likeness((difference,), without is not None)


def likeness_of_parts(parts: Iterable[tuple[Plane, Plane]]) -> Likeness:
    """As `luma_likeness`, of pairs of parts that are of one size and depth each."""
    return _likeness((cv2.absdiff(before, after) for before, after in parts), False)


def unlike(
    shape: tuple[int, ...], depth: np.dtype[Any], now: tuple[int, ...], now_depth: np.dtype[Any]
) -> Likeness:
    """Of planes that cannot be compared."""
    was, is_now = f"{shape[1]} x {shape[0]} {depth}", f"{now[1]} x {now[0]} {now_depth}"
    return Likeness(int(np.iinfo(depth).max), f"luma was {was} and is {is_now}")


def _likeness(differences: Iterable[Any], masked: bool) -> Likeness:
    greatest = count = 0
    for difference in differences:
        greatest = max(greatest, int(difference.max(initial=0)))
        count += int(np.count_nonzero(difference > 1))
    said = f"luma differs by up to {greatest} code values, by more than 1 in {count} pixels"
    return Likeness(greatest, said, masked)
