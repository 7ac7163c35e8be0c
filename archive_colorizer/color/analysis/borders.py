"""Borders of glass plates, film edges, mounts and scanner beds, found on luma.

A border is what lies outside of a long straight edge near a side, has nearly one tone, and has a
partner: a border of a like tone at another side.  Rims inside of rims (a bed, a mount, a plate)
are taken off one after the other.  Skies, dark nights and plain walls are none: they do not end
in a straight line all along a side, or only at one side.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from archive_colorizer.color.resample import fit_within, shrink
from archive_colorizer.color.space import FloatArray, Plane

_SIDE: Final = 640
_LAYERS: Final = 3
_DEEPEST: Final = 0.22
"""Of the way across: more is no border any more."""
_TONE: Final = 0.10
"""Luma within which a border has one tone."""
_ALIKE: Final = 0.15
_STEP: Final = 0.06
"""Luma by which a border's edge steps at once; skies and lights change more slowly."""
_ROUGH: Final = 0.05
"""Standard deviation of luma in what has a border's tone: cloth and walls have more."""
_WANDER: Final = 0.004
"""Of a side: how far a rough edge may leave its line."""
_TILTS: Final = np.tan(np.radians(np.arange(-5.0, 5.01, 0.5)))
_FAIR: Final = 0.38
_CLEAR: Final = 0.68
_TOGETHER: Final = 1.6
"""Of a side's length: where a border's edge is seen.  Beside content of its own tone it is not.

Of 300 photographs without a border, none has three like sides with more than 1.2 together.
"""
_FILLED: Final = 0.72
"""Of a border's area: what must have its tone; captions and holes are the rest."""
_LEAST_LEFT: Final = 0.35
"""Of the whole area: less cannot be the picture."""

_Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class _Rim:
    """A border at one side of a plane: its tone, what it covers, and how sure its edge is."""

    tone: float
    outside: _Mask
    seen: float


def find_content(luma: Plane) -> Plane | None:
    """255 on what is the picture and 0 on its borders, with a long side of 640 at the most.

    luma: H x W.  None when there is no border.
    """
    size = fit_within(luma.shape[0], luma.shape[1], _SIDE)
    small = shrink(luma, *size)
    content = np.ones(size, dtype=np.bool_)
    top, left, bottom, right = 0, 0, *size
    for _ in range(_LAYERS):
        part = small[top:bottom, left:right]
        outside = _peeled(part)
        if outside is None or min(part.shape) < 32:
            break
        content[top:bottom, left:right] &= ~outside
        rows, columns = np.flatnonzero(content.any(axis=1)), np.flatnonzero(content.any(axis=0))
        if not rows.size or content.mean() < _LEAST_LEFT:
            return None
        top, bottom = int(rows[0]), int(rows[-1]) + 1
        left, right = int(columns[0]), int(columns[-1]) + 1
    if content.all():
        return None
    # One pixel more: the edge itself is a mixture of both.
    kept = cv2.erode(content.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1)
    return np.asarray(kept * np.uint8(255), dtype=np.uint8)


def _peeled(luma: FloatArray) -> _Mask | None:
    """What the outermost borders cover; None when there are none."""
    rims = [rim for turns in range(4) if (rim := _rim_of(luma, turns)) is not None]
    groups = [[one for one in rims if abs(one.tone - rim.tone) <= _ALIKE] for rim in rims]
    kept = max((one for one in groups if _are_sure(one)), key=len, default=None)
    if kept is None:
        return None
    outside = np.zeros(luma.shape, dtype=np.bool_)
    for rim in kept:
        outside |= rim.outside
    tone = float(np.median([rim.tone for rim in kept]))
    return outside | _round_corners(luma, outside, tone)


def _are_sure(rims: list[_Rim]) -> bool:
    """Whether borders of like tones bear one another out: two clear ones, or three fair ones."""
    seen = sorted((rim.seen for rim in rims), reverse=True)
    two = len(seen) >= 2 and seen[1] >= _CLEAR
    return two or (len(seen) >= 3 and sum(seen[:3]) >= _TOGETHER)


def _rim_of(luma: FloatArray, turns: int) -> _Rim | None:
    """The border at the upper side after `turns` quarter turns, as a mask of the plane given."""
    plane = np.ascontiguousarray(np.rot90(luma, turns))
    height, width = plane.shape
    deepest = int(height * _DEEPEST)
    if deepest < 4:
        return None
    tone = float(np.median(plane[: max(2, height // 100)]))
    edges = _edges(plane[: deepest + 4], tone)
    line, seen = _best_line(edges, deepest, max(1, round(_WANDER * max(height, width))))
    if line is None or seen < _FAIR:
        return None
    depth = _followed(edges, line, max(1, round(_WANDER * max(height, width))))
    outside = np.arange(height)[:, None] < depth[None]
    if not _has_one_tone(plane[outside], tone):
        return None
    return _Rim(tone, np.ascontiguousarray(np.rot90(outside, -turns)), seen)


def _has_one_tone(border: FloatArray, tone: float) -> bool:
    like = border[np.abs(border - tone) <= _TONE]
    return like.size > max(_FILLED * border.size, 1) and float(like.std()) <= _ROUGH


def _edges(plane: FloatArray, tone: float) -> _Mask:
    """Where a column leaves the tone: the two pixels above have it, the two below have not."""
    has = np.abs(plane - tone) <= _TONE
    edges = np.zeros(plane.shape, dtype=np.bool_)
    edges[1:-2] = has[:-3] & ~has[2:-1] & ~has[3:]
    edges[2:-2] &= np.abs(plane[4:] - plane[:-4]) >= _STEP
    # Of a step over several pixels, the first only.
    edges[1:] &= ~edges[:-1]
    return edges


def _best_line(edges: _Mask, deepest: int, wander: int) -> tuple[tuple[float, float] | None, float]:
    """Offset at the middle and slope of the line that most edges lie on, and how many do."""
    width = edges.shape[1]
    kernel = np.ones((2 * wander + 1, 1), np.uint8)
    near = cv2.dilate(edges.astype(np.uint8), kernel)
    columns = np.arange(width)
    best, seen = None, 0.0
    for slope in sorted(_TILTS, key=abs):
        shift = np.rint(slope * (columns - width / 2)).astype(int)
        rows = np.arange(deepest)[:, None] + shift[None]
        there = (rows >= 0) & (rows < deepest)
        hits = near[np.clip(rows, 0, deepest - 1), columns] * there
        # A tilted border may begin beside the picture; what counts is what is in it.
        share = hits.sum(axis=1) / np.maximum(there.sum(axis=1), width / 2)
        at = int(share.argmax())
        if share[at] > seen + 0.02:
            best, seen = (float(at), float(slope)), float(share[at])
    return best, seen


def _followed(edges: _Mask, line: tuple[float, float], wander: int) -> npt.NDArray[np.int64]:
    """How deep the border is in each column: to its edge near the line, or to the line."""
    height, width = edges.shape
    straight = line[0] + line[1] * (np.arange(width) - width / 2)
    rows = np.arange(height)[:, None]
    near = edges & (np.abs(rows - straight[None]) <= wander + 1)
    found = np.where(near.any(axis=0), height - 1 - near[::-1].argmax(axis=0), straight)
    wide = np.pad(found.astype(np.float32), 4, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(wide, 9)
    depth = np.rint(np.median(windows, axis=1)).astype(np.int64) + 1
    return np.asarray(np.clip(depth, 0, height), dtype=np.int64)


def _round_corners(luma: FloatArray, outside: _Mask, tone: float) -> _Mask:
    """What has the border's tone in the corners of the picture, and hangs together with it."""
    like = (np.abs(luma - tone) <= _TONE).astype(np.uint8)
    reach = max(2, min(luma.shape) // 22)
    covered = outside.astype(np.uint8)
    beside = cv2.dilate(covered, np.ones((1, 2 * reach + 1), np.uint8))
    above = cv2.dilate(covered, np.ones((2 * reach + 1, 1), np.uint8))
    near = (beside > 0) & (above > 0)
    _, labels = cv2.connectedComponents((like * near) | covered)
    touched = np.unique(labels[outside])
    return np.asarray(np.isin(labels, touched[touched > 0]) & near, dtype=np.bool_)
