"""Steady color: masks of a shot averaged along the motion of its picture, forward and backward.

The mask of a frame becomes the weighted mean of the masks of all frames around it, each
carried to this frame by the motion between neighbors, step by step.  Every step takes a share
of the weight away, and more where the carried luma is not the luma found there (behind what
moves, across a flash, on dust) or the way there is not the way back.  Both directions weigh
alike, so nothing lags behind, and no frame depends on the order of work.

Motion is dense inverse search (Kroeger et al., Fast Optical Flow using Dense Inverse Search,
ECCV 2016) on luma whose local mean and spread were taken out, so that the flicker of an old
print and slow fades are no change.  Masks of two shots never belong into one call.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import FloatArray

Mask: TypeAlias = npt.NDArray[np.float16] | npt.NDArray[np.float32]

LARGEST_ERROR: Final = 1 / 256
"""What frames beyond `reach` can change, as a share of how far their masks are from those inside.

Masks of one thing in one shot lie within a tenth of the chroma range, which makes that a
tenth of a code of 8 bits.
"""

_LONGEST_MEMORY: Final = 20.0
"""Frames on either side that weigh as much as all there are, at smoothing 1."""
_SURROUNDINGS: Final = 0.25
"""Of the short side: the window over which luma's mean and spread are taken out."""
_GRAIN: Final = 0.04
"""Spread of luma (10 of 255) below which structure is taken for grain."""
_STEP: Final = 42.0
"""Codes of a pattern for one spread; 3 spreads fit on either side of 128."""
_UNLIKE: Final = 0.3
"""Spreads between carried and found luma at which trust has fallen to 1/e."""
_ASTRAY: Final = 2.0
"""Pixels by which going there and back may miss, to the same effect.

Any picture can be bent to look like another, but not both in the same way.
"""
_SMALLEST: Final = 16
"""Pixels; dense inverse search refuses smaller pictures, where nothing can be told anyway."""


@dataclass(frozen=True, slots=True, eq=False)
class Glimpse:
    """What smoothing keeps of a frame, at the network's size.

    mask: h x w x 2 chroma; float16 halves the memory and is exact to 1/16 code of 8 bits.
    pattern: h x w uint8, luma without its local mean and spread.
    """

    mask: Mask
    pattern: npt.NDArray[np.uint8]


def glimpse(mask: Mask, luma: FloatArray) -> Glimpse:
    """A mask (h x w x 2) with the pattern of its luma (h x w, 0..1, any exposure)."""
    side = max(3, round(_SURROUNDINGS * min(luma.shape))) | 1
    calm = np.asarray(cv2.GaussianBlur(luma, (3, 3), 0), dtype=np.float32)
    mean = _mean(calm, side)
    spread = np.sqrt(np.maximum(_mean(calm * calm, side) - mean * mean, 0))
    codes = (calm - mean) / (spread + np.float32(_GRAIN)) * np.float32(_STEP) + np.float32(128)
    return Glimpse(mask, np.rint(np.clip(codes, 0, 255)).astype(np.uint8))


def steady(glimpses: Sequence[Glimpse], smoothing: float) -> Iterator[Mask]:
    """The masks of a shot, or of a part with its surroundings, steady in time and in order.

    smoothing: 0 gives the masks as they are, 1 the longest memory.  Each result lies between
    the least and the greatest chroma that the shot's masks have.
    """
    share = _share(smoothing)
    if not share or len(glimpses) < 2:
        yield from (seen.mask for seen in glimpses)
        return
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    ahead = _ahead(glimpses, share, flow)
    past: FloatArray | None = None
    for at, seen in enumerate(glimpses):
        known = _weighed(seen.mask)
        if past is not None:
            known += share * _carried(past, glimpses[at - 1], seen, flow)
        past = known
        total = known + ahead.pop()
        yield np.asarray(total[..., :2] / total[..., 2:], dtype=np.float32)


def reach(smoothing: float) -> int:
    """How many frames on either side matter to a frame (see LARGEST_ERROR)."""
    share = _share(smoothing)
    if not share:
        return 0
    return math.ceil(math.log(LARGEST_ERROR * (1 + share)) / math.log(share))


def with_surroundings(first: int, last: int, shot: range, smoothing: float) -> range:
    """The frames to look at for those from `first` to before `last` of a shot."""
    halo = reach(smoothing)
    return range(max(shot.start, first - halo), min(shot.stop, last + halo))


def _share(smoothing: float) -> float:
    """What one step leaves of the weight; memory, 1 / (1 - share), grows geometrically."""
    return 1 - float(_LONGEST_MEMORY**-smoothing)


def _ahead(glimpses: Sequence[Glimpse], share: float, flow: Any) -> list[npt.NDArray[np.float16]]:
    """Weighed sums of all later masks, carried to each frame; the first frame's comes last."""
    later = np.zeros((*glimpses[-1].pattern.shape, 3), dtype=np.float32)
    sums = [later.astype(np.float16)]
    for here, there in zip(glimpses[-2::-1], glimpses[:0:-1], strict=True):
        later = share * _carried(later + _weighed(there.mask), there, here, flow)
        sums.append(later.astype(np.float16))
    return sums


def _weighed(mask: Mask) -> FloatArray:
    """h x w x 3: a mask, and its weight 1."""
    return np.pad(mask.astype(np.float32), ((0, 0), (0, 0), (0, 1)), constant_values=1)


def _carried(known: FloatArray, there: Glimpse, here: Glimpse, flow: Any) -> FloatArray:
    """Weighed sums of one frame carried to its neighbor, with the weight that they deserve."""
    height, width = here.pattern.shape
    onward = _motion(here.pattern, there.pattern, flow)
    back = _motion(there.pattern, here.pattern, flow)
    there_x, there_y = cv2.split(onward + _grid(height, width))
    found = cv2.remap(there.pattern, there_x, there_y, cv2.INTER_LINEAR)
    # Signed, so that grain cancels out in the mean, which a wrong match does not.
    unlike = _mean(here.pattern.astype(np.float32) - found, 5) / np.float32(_STEP * _UNLIKE)
    astray = (onward + cv2.remap(back, there_x, there_y, cv2.INTER_LINEAR)) / np.float32(_ASTRAY)
    inside = (there_x >= -1) & (there_x <= width) & (there_y >= -1) & (there_y <= height)
    trust = np.exp(-unlike * unlike - np.square(astray).sum(axis=2)) * inside
    carried = cv2.remap(known, there_x, there_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(carried * trust[..., None], dtype=np.float32)


def _motion(
    here: npt.NDArray[np.uint8], there: npt.NDArray[np.uint8], flow: Any
) -> npt.NDArray[np.float32]:
    """h x w x 2: how far away (x, y) in the other picture each pixel of this one is."""
    if min(here.shape) < _SMALLEST:
        return np.zeros((*here.shape, 2), dtype=np.float32)
    return np.asarray(flow.calc(here, there, None), dtype=np.float32)


@lru_cache(maxsize=4)
def _grid(height: int, width: int) -> FloatArray:
    """h x w x 2: the place (x, y) of each pixel."""
    rows, columns = np.mgrid[:height, :width]
    places: FloatArray = np.stack([columns, rows], axis=2).astype(np.float32)
    places.setflags(write=False)
    return places


def _mean(plane: FloatArray, side: int) -> FloatArray:
    """Mean over side x side pixels."""
    blurred = cv2.blur(plane, (side, side), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, dtype=np.float32)
