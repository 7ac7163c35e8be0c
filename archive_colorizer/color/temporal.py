"""Stabilize the color of a shot: average masks along the optical flow, forward and backward.

The mask of a frame becomes the weighted mean of the masks of all frames around it, each warped
to this frame by the motion between neighbors, step by step.  Every step reduces the weight, and
more so where the warped luma does not match (occlusions, flashes, dust) or the forward and
backward flow disagree.  Both directions weigh alike, so color does not lag, and no frame depends
on the order of processing.

The flow is dense inverse search (Kroeger et al., Fast Optical Flow using Dense Inverse Search,
ECCV 2016) on luma with its local mean and deviation removed, so that flicker and slow fades do
not count as changes.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from archive_colorizer.color.resample import average
from archive_colorizer.color.space import ByteArray, FloatArray

Mask: TypeAlias = npt.NDArray[np.float16] | FloatArray

LARGEST_ERROR: Final = 1 / 256
"""Effect of frames beyond `compute_reach`, as a share of the difference of their masks.

Masks of an object lie within a tenth of the chroma range: the error is a tenth of an 8-bit code.
"""

_MAX_MEMORY: Final = 20.0
"""Total weight, in frames, of each side at smoothing 1."""
_WINDOW: Final = 0.25
"""Window for the local mean and deviation of luma, as a share of the short side."""
_GRAIN: Final = 0.04
"""Deviation of luma (10 of 255) below which structure counts as grain."""
_CODES_PER_SPREAD: Final = 42.0
"""Pattern codes for one standard deviation; 3 fit on either side of 128."""
_LUMA_TOLERANCE: Final = np.float32(_CODES_PER_SPREAD * 0.3)
"""Luma mismatch, 0.3 standard deviations, at which the weight falls to 1/e."""
_MOTION_TOLERANCE: Final = np.float32(2.0)
"""Disagreement of forward and backward flow, in pixels, at which the weight falls to 1/e."""
_MIN_SIDE: Final = 16
"""Pixels; dense inverse search rejects smaller images."""


@dataclass(frozen=True, slots=True, eq=False)
class FilmFrameMask:
    """Hold the mask and the normalized luma of a frame, at the network's size.

    mask: h x w x 2 chroma; float16 halves the memory and is exact to 1/16 of an 8-bit code.
    pattern: h x w uint8, luma without its local mean and deviation.
    """

    mask: Mask
    pattern: ByteArray

    @classmethod
    def prepare(cls, mask: Mask, luma: FloatArray) -> "FilmFrameMask":
        """Pair a mask (h x w x 2) with the normalized pattern of its luma (h x w, 0..1)."""
        side = max(3, round(_WINDOW * min(luma.shape))) | 1
        calm = np.asarray(cv2.GaussianBlur(luma, (3, 3), 0), dtype=np.float32)
        mean = average(calm, side)
        spread = np.sqrt(np.maximum(average(calm * calm, side) - mean * mean, 0))
        pattern = (calm - mean) / (spread + np.float32(_GRAIN))
        codes = pattern * np.float32(_CODES_PER_SPREAD) + np.float32(128)
        return cls(mask, np.rint(np.clip(codes, 0, 255)).astype(np.uint8))


def smooth_masks(frames: Sequence[FilmFrameMask], smoothing: float) -> Iterator[Mask]:
    """Yield the smoothed masks of one shot, or of a part with its neighbors, in order.

    smoothing: 0 leaves the masks unchanged, 1 averages over the most frames.  Each result lies
    between the minimum and the maximum chroma of the shot's masks.
    """
    share = _compute_share(smoothing)
    if not share or len(frames) < 2:
        yield from (frame.mask for frame in frames)
        return
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    sums_ahead = _sum_later_frames(frames, share, flow)
    carried_sum: FloatArray | None = None
    for index, frame in enumerate(frames):
        weighted_sum = _attach_weight(frame.mask)
        if carried_sum is not None:
            weighted_sum += share * _carry(carried_sum, frames[index - 1], frame, flow)
        carried_sum = weighted_sum
        total = weighted_sum + sums_ahead.pop()
        yield np.asarray(total[..., :2] / total[..., 2:], dtype=np.float32)


def compute_reach(smoothing: float) -> int:
    """Compute how many frames on either side influence a frame (see LARGEST_ERROR)."""
    share = _compute_share(smoothing)
    if not share:
        return 0
    return math.ceil(math.log(LARGEST_ERROR * (1 + share)) / math.log(share))


def add_neighbors(first: int, last: int, shot: range, smoothing: float) -> range:
    """Extend frames `first` to `last` (exclusive) of a shot by the frames that influence them."""
    halo = compute_reach(smoothing)
    return range(max(shot.start, first - halo), min(shot.stop, last + halo))


def _compute_share(smoothing: float) -> float:
    """Compute the weight that one step keeps; 1 / (1 - share) grows geometrically."""
    return 1 - float(_MAX_MEMORY**-smoothing)


def _sum_later_frames(
    frames: Sequence[FilmFrameMask], share: float, flow: Any
) -> list[npt.NDArray[np.float16]]:
    """Sum all later masks, warped to each frame and weighted; the first frame's comes last."""
    later = np.zeros((*frames[-1].pattern.shape, 3), dtype=np.float32)
    sums = [later.astype(np.float16)]
    for current, following in zip(frames[-2::-1], frames[:0:-1], strict=True):
        later = share * _carry(later + _attach_weight(following.mask), following, current, flow)
        sums.append(later.astype(np.float16))
    return sums


def _attach_weight(mask: Mask) -> FloatArray:
    return np.pad(mask.astype(np.float32), ((0, 0), (0, 0), (0, 1)), constant_values=1)


def _carry(sums: FloatArray, source: FilmFrameMask, target: FilmFrameMask, flow: Any) -> FloatArray:
    """Warp the weighted sums of a frame to its neighbor, weighted by how well the two match."""
    height, width = target.pattern.shape
    forward = _compute_motion(target.pattern, source.pattern, flow)
    back = _compute_motion(source.pattern, target.pattern, flow)
    source_x, source_y = cv2.split(forward + _build_grid(height, width))
    matched = cv2.remap(source.pattern, source_x, source_y, cv2.INTER_LINEAR)
    # The difference keeps its sign, so that grain cancels out in the mean; a mismatch does not.
    mismatch = average(target.pattern.astype(np.float32) - matched, 5) / _LUMA_TOLERANCE
    away = (forward + cv2.remap(back, source_x, source_y, cv2.INTER_LINEAR)) / _MOTION_TOLERANCE
    inside = (source_x >= -1) & (source_x <= width) & (source_y >= -1) & (source_y <= height)
    trust = np.exp(-mismatch * mismatch - np.square(away).sum(axis=2)) * inside
    carried = cv2.remap(sums, source_x, source_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(carried * trust[..., None], dtype=np.float32)


def _compute_motion(target: ByteArray, source: ByteArray, flow: Any) -> FloatArray:
    """Compute the offset (x, y) of each target pixel in the source: h x w x 2."""
    if min(target.shape) < _MIN_SIDE:
        return np.zeros((*target.shape, 2), dtype=np.float32)
    return np.asarray(flow.calc(target, source, None), dtype=np.float32)


@lru_cache(maxsize=4)
def _build_grid(height: int, width: int) -> FloatArray:
    """Return the position (x, y) of each pixel: h x w x 2, read-only."""
    rows, columns = np.mgrid[:height, :width]
    positions: FloatArray = np.stack([columns, rows], axis=2).astype(np.float32)
    positions.setflags(write=False)
    return positions
