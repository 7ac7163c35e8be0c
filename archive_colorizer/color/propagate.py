"""Propagate hint colors from strokes over the objects that they lie on.

Color flows between neighbors of similar luma and similar mask color, and decays with every step:
weighted least squares after Levin, Lischinski, Weiss (Colorization using Optimization, SIGGRAPH
2004) with a weak pull to the mask everywhere, or equivalently the random walker of Grady (PAMI
2006) with a chance to stop anywhere.  One linear system yields the amount and the color of what
arrives; both are mixed with the mask.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from archive_colorizer.color.correct import smoothstep
from archive_colorizer.color.resample import enlarge
from archive_colorizer.color.space import FloatArray

_LUMA_SCALE: Final = 0.016
_COLOR_SCALE: Final = 0.03
"""Differences of neighbors in luma (0..1) and chroma at which the flow falls to 61 percent."""
_MIN_FLOW: Final = 1e-7
_REACH: Final = 0.35
"""Length, as a share of the short side, over which an unhindered flow decays to 37 percent."""
_HINT_WEIGHT: Final = 1e3
_SHARE_LOW: Final = 0.03
_SHARE_HIGH: Final = 0.3
"""Amounts that arrive below the first count as nothing, above the second as everything."""
_COARSEST_SIDE: Final = 24
_MAX_STEPS: Final = 200
_TOLERANCE: Final = 1e-5
_TINY: Final = np.float32(1e-30)


def propagate_colors(
    mask: FloatArray, luma: FloatArray, hints: FloatArray, hint_mask: FloatArray
) -> FloatArray:
    """Propagate hints (h x w x 2 chroma) into the mask from where `hint_mask` (h x w) is 1.

    luma: h x w, 0..1.  Hinted pixels get exactly their hint, pixels out of reach stay exactly
    as they were, and every color lies between those of the hints and of the mask.
    """
    if not hint_mask.any():
        return mask
    fixed = hint_mask > 0
    target = np.dstack([hint_mask, hints * hint_mask[..., None]])
    pull = 1.0 / (_REACH * min(luma.shape)) ** 2
    flow = _solve(_LinearSystem(luma, mask, target.astype(np.float32), hint_mask, pull))
    amount = np.maximum(flow[..., 0], 1e-9)
    propagated = flow[..., 1:] / amount[..., None]
    share = smoothstep((amount - _SHARE_LOW) / (_SHARE_HIGH - _SHARE_LOW))[..., None]
    mixed = (mask + share * (propagated - mask)).astype(np.float32)
    return np.where(fixed[..., None], hints, np.where(share > 0, mixed, mask))


@dataclass(frozen=True, slots=True, eq=False)
class _LinearSystem:
    """Hold the system at one size: `target` (h x w x 3) where `fixed`, a pull to 0 elsewhere."""

    luma: FloatArray
    mask: FloatArray
    target: FloatArray
    fixed: FloatArray
    pull: float

    def halve(self) -> "_LinearSystem":
        height, width = self.luma.shape
        size = (width + 1) // 2, (height + 1) // 2
        luma, mask, target, fixed = (
            np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), dtype=np.float32)
            for plane in (self.luma, self.mask, self.target, self.fixed)
        )
        is_fixed = fixed > 0
        target[is_fixed] /= fixed[is_fixed][:, None]
        return _LinearSystem(luma, mask, target, is_fixed.astype(np.float32), 4 * self.pull)


def _solve(scene: _LinearSystem) -> FloatArray:
    """Solve from coarse to fine: a coarse grid carries far flows in few steps."""
    if min(scene.luma.shape) <= _COARSEST_SIDE:
        return _descend(scene, np.zeros_like(scene.target))
    start = enlarge(_solve(scene.halve()), *scene.luma.shape[:2])
    return _descend(scene, start)


def _descend(scene: _LinearSystem, start: FloatArray) -> FloatArray:
    """Run conjugate gradients with a diagonal preconditioner on all three planes at once."""
    across, down = _compute_flow(scene, 1), _compute_flow(scene, 0)
    diagonal = (_HINT_WEIGHT * scene.fixed + scene.pull).astype(np.float32)
    diagonal[:, 1:] += across
    diagonal[:, :-1] += across
    diagonal[1:] += down
    diagonal[:-1] += down
    # The planes come first: numpy is several times slower along an axis of three.
    solution = np.ascontiguousarray(start.transpose(2, 0, 1))
    target = _HINT_WEIGHT * scene.fixed * scene.target.transpose(2, 0, 1)
    residual = target - _multiply(solution, diagonal, across, down)
    step = residual / diagonal
    gain = _compute_dots(residual, step)
    tolerance = _TOLERANCE**2 * _compute_dots(target, target / diagonal).max()
    for _ in range(_MAX_STEPS):
        if gain.max() <= tolerance:
            break
        product = _multiply(step, diagonal, across, down)
        length = (gain / np.maximum(_compute_dots(step, product), _TINY))[:, None, None]
        solution += length * step
        residual -= length * product
        preconditioned = residual / diagonal
        before, gain = gain, _compute_dots(residual, preconditioned)
        step = preconditioned + (gain / np.maximum(before, _TINY))[:, None, None] * step
    return solution.transpose(1, 2, 0)


def _compute_flow(scene: _LinearSystem, axis: int) -> FloatArray:
    luma = np.diff(scene.luma, axis=axis) / np.float32(_LUMA_SCALE)
    color = (np.diff(scene.mask, axis=axis) ** 2).sum(axis=2) / np.float32(_COLOR_SCALE**2)
    alike = np.exp(-0.5 * (luma * luma + color))
    return np.asarray(np.maximum(alike, _MIN_FLOW), dtype=np.float32)


def _multiply(
    planes: FloatArray, diagonal: FloatArray, across: FloatArray, down: FloatArray
) -> FloatArray:
    result = planes * diagonal
    result[:, :, 1:] -= across * planes[:, :, :-1]
    result[:, :, :-1] -= across * planes[:, :, 1:]
    result[:, 1:] -= down * planes[:, :-1]
    result[:, :-1] -= down * planes[:, 1:]
    return result


def _compute_dots(first: FloatArray, second: FloatArray) -> FloatArray:
    return np.asarray(np.einsum("phw,phw->p", first, second), dtype=np.float32)
