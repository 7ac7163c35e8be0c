"""Known colors spread from strokes over what they belong to.

The color of a stroke flows to its neighbors as easily as their luma and their color in the mask are
alike, and is lost a little with every step (the weighted least squares of Levin, Lischinski, Weiss:
Colorization using Optimization, SIGGRAPH 2004, with a weak pull to the mask everywhere; seen
otherwise, the random walker of Grady, PAMI 2006, with a chance to end anywhere).  One linear
system is solved for how much of what arrives, and what color it has; both are mixed with the mask.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from archive_colorizer.color.hue_bands import smoothstep
from archive_colorizer.color.resample import enlarge
from archive_colorizer.color.space import FloatArray

_LUMA_ALIKE: Final = 0.016
_COLOR_ALIKE: Final = 0.03
"""Differences of neighbors in luma (0..1) and chroma at which the flow is down to 61 percent."""
_LEAST_FLOW: Final = 1e-7
_REACH: Final = 0.35
"""Of the short side: the length in which an unhindered flow along a line is down to 37 percent."""
_HELD: Final = 1e3
_NOTHING: Final = 0.03
_ALL: Final = 0.3
"""Of what arrives: less counts as nothing and more as all."""
_SMALLEST: Final = 24
_STEPS: Final = 200
_NEAR: Final = 1e-5
_TINY: Final = np.float32(1e-30)


def spread(mask: FloatArray, luma: FloatArray, known: FloatArray, held: FloatArray) -> FloatArray:
    """The mask (h x w x 2 chroma) with known colors (h x w x 2) spread from where `held` is 1.

    luma: h x w, 0..1.  held: h x w, 0 or 1.  Known colors stand exactly where they are held;
    what they do not reach stays exactly as it was.  Every color lies between known ones and
    the mask's own.
    """
    if not held.any():
        return mask
    fixed = held > 0
    wanted = np.dstack([held, known * held[..., None]])
    pull = 1.0 / (_REACH * min(luma.shape)) ** 2
    flow = _solved(_Scene(luma, mask, wanted.astype(np.float32), held, pull))
    amount = np.maximum(flow[..., 0], 1e-9)
    arrived = flow[..., 1:] / amount[..., None]
    share = smoothstep((amount - _NOTHING) / (_ALL - _NOTHING))[..., None]
    mixed = (mask + share * (arrived - mask)).astype(np.float32)
    return np.where(fixed[..., None], known, np.where(share > 0, mixed, mask))


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    """What is to be solved at one size: `wanted` (h x w x 3) where `held`, a pull to zero."""

    luma: FloatArray
    mask: FloatArray
    wanted: FloatArray
    held: FloatArray
    pull: float

    def halved(self) -> "_Scene":
        """The same at half the size."""
        height, width = self.luma.shape
        size = (width + 1) // 2, (height + 1) // 2
        luma, mask, wanted, held = (
            np.asarray(cv2.resize(one, size, interpolation=cv2.INTER_AREA), dtype=np.float32)
            for one in (self.luma, self.mask, self.wanted, self.held)
        )
        some = held > 0
        wanted[some] /= held[some][:, None]
        return _Scene(luma, mask, wanted, some.astype(np.float32), 4 * self.pull)


def _solved(scene: _Scene) -> FloatArray:
    """Coarse first: what flows far is found where far is near."""
    if min(scene.luma.shape) <= _SMALLEST:
        return _descended(scene, np.zeros_like(scene.wanted))
    begin = enlarge(_solved(scene.halved()), *scene.luma.shape[:2])
    return _descended(scene, begin)


def _descended(scene: _Scene, begin: FloatArray) -> FloatArray:
    """Conjugate gradients with the diagonal as preconditioner, all three planes at once."""
    across, down = _flows(scene, 1), _flows(scene, 0)
    around = (_HELD * scene.held + scene.pull).astype(np.float32)
    around[:, 1:] += across
    around[:, :-1] += across
    around[1:] += down
    around[:-1] += down
    # Plane after plane: numpy is several times slower along an axis of three.
    found = np.ascontiguousarray(begin.transpose(2, 0, 1))
    wanted = _HELD * scene.held * scene.wanted.transpose(2, 0, 1)
    rest = wanted - _applied(found, around, across, down)
    step = rest / around
    gain = _dots(rest, step)
    enough = _NEAR**2 * _dots(wanted, wanted / around).max()
    for _ in range(_STEPS):
        if gain.max() <= enough:
            break
        turned = _applied(step, around, across, down)
        length = (gain / np.maximum(_dots(step, turned), _TINY))[:, None, None]
        found += length * step
        rest -= length * turned
        easy = rest / around
        before, gain = gain, _dots(rest, easy)
        step = easy + (gain / np.maximum(before, _TINY))[:, None, None] * step
    return found.transpose(1, 2, 0)


def _flows(scene: _Scene, axis: int) -> FloatArray:
    """How easily color flows between neighbors along an axis, 0 to 1."""
    luma = np.diff(scene.luma, axis=axis) / np.float32(_LUMA_ALIKE)
    color = (np.diff(scene.mask, axis=axis) ** 2).sum(axis=2) / np.float32(_COLOR_ALIKE**2)
    alike = np.exp(-0.5 * (luma * luma + color))
    return np.asarray(np.maximum(alike, _LEAST_FLOW), dtype=np.float32)


def _applied(
    planes: FloatArray, around: FloatArray, across: FloatArray, down: FloatArray
) -> FloatArray:
    result = planes * around
    result[:, :, 1:] -= across * planes[:, :, :-1]
    result[:, :, :-1] -= across * planes[:, :, 1:]
    result[:, 1:] -= down * planes[:, :-1]
    result[:, :-1] -= down * planes[:, 1:]
    return result


def _dots(one: FloatArray, other: FloatArray) -> FloatArray:
    return np.asarray(np.einsum("phw,phw->p", one, other), dtype=np.float32)
