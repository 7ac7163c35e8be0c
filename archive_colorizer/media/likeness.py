"""How like two luma planes are."""

from dataclasses import dataclass
from typing import TypeAlias

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
        was, now = (f"{one.shape[1]} x {one.shape[0]} {one.dtype}" for one in (before, after))
        return Likeness(int(np.iinfo(before.dtype).max), f"luma was {was} and is {now}")
    difference = cv2.absdiff(before, after)
    if without is not None:
        top, left, bottom, right = without
        difference[top:bottom, left:right] = 0
    greatest = int(difference.max(initial=0))
    count = int(np.count_nonzero(difference > 1))
    said = f"luma differs by up to {greatest} code values, by more than 1 in {count} pixels"
    return Likeness(greatest, said, without is not None)
