"""Find borders of glass plates, film edges, mounts and scanner beds on luma.

A border lies outside a long straight edge near a side, has nearly one tone, and is matched by a
border of similar tone at another side.  Nested borders (a bed, a mount, a plate) are removed one
after the other.  Skies, dark nights and plain walls are not borders: they do not end in a
straight line along a whole side, or do so at one side only.
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
_MAX_DEPTH: Final = 0.22
"""A border is at most this share of the height or width deep."""
_TONE: Final = 0.10
"""Luma by which one border may vary, and by which two borders may differ."""
_ALIKE: Final = 0.15
_STEP: Final = 0.06
"""Step of luma at the edge of a border; skies and lights change more slowly."""
_MAX_DEVIATION: Final = 0.05
"""Standard deviation of luma within a border's tone; cloth and walls have more."""
_EDGE_TOLERANCE: Final = 0.004
"""Distance of a rough edge from its line, as a share of the side."""
_TILTS: Final = np.tan(np.radians(np.arange(-5.0, 5.01, 0.5)))
_FAIR_SHARE: Final = 0.38
_CLEAR_SHARE: Final = 0.68
_MIN_SHARE_SUM: Final = 1.6
"""Shares of a side along which the edge is visible: of a usable side, a clear one, three sides.

The edge is invisible next to content of the border's tone.  Of 300 photographs without a border,
none has three similar sides with a sum above 1.2.
"""
_MIN_FILL: Final = 0.72
"""Share of a border that must have its tone; captions and holes are the rest."""
_MIN_CONTENT: Final = 0.35
"""Smallest share of the area that the picture can have."""

_Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class _Rim:
    """A border at one side: its tone, the area it covers, and how much of its edge is visible."""

    tone: float
    mask: _Mask
    edge_share: float


def find_content(luma: Plane) -> Plane | None:
    """Return 255 on the picture and 0 on its borders, at most 640 on the long side.

    luma: H x W.  The result is None without a border.
    """
    size = fit_within(luma.shape[0], luma.shape[1], _SIDE)
    small = shrink(luma, *size)
    content = np.ones(size, dtype=np.bool_)
    top, left, bottom, right = 0, 0, *size
    for _ in range(_LAYERS):
        part = small[top:bottom, left:right]
        border = _find_outermost(part)
        if border is None or min(part.shape) < 32:
            break
        content[top:bottom, left:right] &= ~border
        rows, columns = np.flatnonzero(content.any(axis=1)), np.flatnonzero(content.any(axis=0))
        if not rows.size or content.mean() < _MIN_CONTENT:
            return None
        top, bottom = int(rows[0]), int(rows[-1]) + 1
        left, right = int(columns[0]), int(columns[-1]) + 1
    if content.all():
        return None
    # One more pixel is removed, because the edge itself is a mixture.
    eroded = cv2.erode(content.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1)
    return np.asarray(eroded * np.uint8(255), dtype=np.uint8)


def _find_outermost(luma: FloatArray) -> _Mask | None:
    """Return the area that the outermost borders cover, or None without any."""
    rims = [rim for turns in range(4) if (rim := _find_rim(luma, turns)) is not None]
    groups = [[other for other in rims if abs(other.tone - rim.tone) <= _ALIKE] for rim in rims]
    group = max((rims for rims in groups if _is_supported(rims)), key=len, default=None)
    if group is None:
        return None
    outside = np.zeros(luma.shape, dtype=np.bool_)
    for rim in group:
        outside |= rim.mask
    tone = float(np.median([rim.tone for rim in group]))
    return outside | _find_round_corners(luma, outside, tone)


def _is_supported(rims: list[_Rim]) -> bool:
    """Check that borders of similar tone confirm each other: two clear ones, or three fair."""
    edge_shares = sorted((rim.edge_share for rim in rims), reverse=True)
    has_two = len(edge_shares) >= 2 and edge_shares[1] >= _CLEAR_SHARE
    return has_two or (len(edge_shares) >= 3 and sum(edge_shares[:3]) >= _MIN_SHARE_SUM)


def _find_rim(luma: FloatArray, turns: int) -> _Rim | None:
    """Find the border at the upper side after `turns` quarter turns; its mask is turned back."""
    plane = np.ascontiguousarray(np.rot90(luma, turns))
    height, width = plane.shape
    deepest = int(height * _MAX_DEPTH)
    if deepest < 4:
        return None
    tone = float(np.median(plane[: max(2, height // 100)]))
    edges = _find_edges(plane[: deepest + 4], tone)
    tolerance = max(1, round(_EDGE_TOLERANCE * max(height, width)))
    line, edge_share = _fit_line(edges, deepest, tolerance)
    if line is None or edge_share < _FAIR_SHARE:
        return None
    depth = _follow_line(edges, line, tolerance)
    outside = np.arange(height)[:, None] < depth[None]
    if not _has_one_tone(plane[outside], tone):
        return None
    return _Rim(tone, np.ascontiguousarray(np.rot90(outside, -turns)), edge_share)


def _has_one_tone(border: FloatArray, tone: float) -> bool:
    matching = border[np.abs(border - tone) <= _TONE]
    is_filled = matching.size > max(_MIN_FILL * border.size, 1)
    return is_filled and float(matching.std()) <= _MAX_DEVIATION


def _find_edges(plane: FloatArray, tone: float) -> _Mask:
    """Find where a column leaves the tone: the two pixels above have it, the two below do not."""
    has_tone = np.abs(plane - tone) <= _TONE
    edges = np.zeros(plane.shape, dtype=np.bool_)
    edges[1:-2] = has_tone[:-3] & ~has_tone[2:-1] & ~has_tone[3:]
    edges[2:-2] &= np.abs(plane[4:] - plane[:-4]) >= _STEP
    # A step over several pixels counts once, at the first.
    edges[1:] &= ~edges[:-1]
    return edges


def _fit_line(edges: _Mask, deepest: int, wander: int) -> tuple[tuple[float, float] | None, float]:
    """Fit a line (offset at the middle, slope) to most edges; also return their share."""
    width = edges.shape[1]
    kernel = np.ones((2 * wander + 1, 1), np.uint8)
    near_edges = cv2.dilate(edges.astype(np.uint8), kernel)
    columns = np.arange(width)
    line, best_share = None, 0.0
    for slope in sorted(_TILTS, key=abs):
        shift = np.rint(slope * (columns - width / 2)).astype(int)
        rows = np.arange(deepest)[:, None] + shift[None]
        is_inside = (rows >= 0) & (rows < deepest)
        hits = near_edges[np.clip(rows, 0, deepest - 1), columns] * is_inside
        # A tilted border may start outside the picture; only columns inside count.
        share = hits.sum(axis=1) / np.maximum(is_inside.sum(axis=1), width / 2)
        row = int(share.argmax())
        if share[row] > best_share + 0.02:
            line, best_share = (float(row), float(slope)), float(share[row])
    return line, best_share


def _follow_line(edges: _Mask, line: tuple[float, float], wander: int) -> npt.NDArray[np.int64]:
    """Return the depth of the border in each column: to an edge near the line, or to the line."""
    height, width = edges.shape
    straight = line[0] + line[1] * (np.arange(width) - width / 2)
    rows = np.arange(height)[:, None]
    near_edges = edges & (np.abs(rows - straight[None]) <= wander + 1)
    last_rows = height - 1 - near_edges[::-1].argmax(axis=0)
    edge_rows = np.where(near_edges.any(axis=0), last_rows, straight)
    wide = np.pad(edge_rows.astype(np.float32), 4, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(wide, 9)
    depth = np.rint(np.median(windows, axis=1)).astype(np.int64) + 1
    return np.asarray(np.clip(depth, 0, height), dtype=np.int64)


def _find_round_corners(luma: FloatArray, outside: _Mask, tone: float) -> _Mask:
    """Find the areas of the border's tone in the corners that are connected to the border."""
    has_tone = (np.abs(luma - tone) <= _TONE).astype(np.uint8)
    reach = max(2, min(luma.shape) // 22)
    covered = outside.astype(np.uint8)
    near_sideways = cv2.dilate(covered, np.ones((1, 2 * reach + 1), np.uint8))
    near_upright = cv2.dilate(covered, np.ones((2 * reach + 1, 1), np.uint8))
    near = (near_sideways > 0) & (near_upright > 0)
    _, labels = cv2.connectedComponents((has_tone * near) | covered)
    connected = np.unique(labels[outside])
    return np.asarray(np.isin(labels, connected[connected > 0]) & near, dtype=np.bool_)
