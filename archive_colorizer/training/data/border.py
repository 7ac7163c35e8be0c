"""Paper and plate around a photograph, which have no color."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
_BEYOND = 4.0
"""Where an edge lies that a crop does not reach, in sides of the crop."""


def border(
    luma: Floats, chroma: Floats, widest: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Black film or plate, or white paper, on one to four sides, and its grey chroma.

    luma: H x W float32 in [0, 1]; chroma: 2 x H x W float32.  `widest`: the greatest width
    as a share of a side, in [0, 0.3].  Corners may be round, the edge soft, the picture a
    little askew; outside of a narrow border there may be another one, as of paper around a
    plate.  Returns new arrays; chroma is 0 wherever the border covers all.
    """
    outside = _distance(luma.shape, widest, rng)
    softness = np.float32(rng.uniform(0.8, 3.0))
    cover = np.clip(outside / softness + np.float32(0.5), 0.0, 1.0)
    black = rng.random() < 0.6
    dark, light = np.float32(rng.uniform(0.0, 0.08)), np.float32(rng.uniform(0.82, 1.0))
    level: Floats | np.float32 = dark if black else light
    if rng.random() < 0.35:
        step = float(rng.uniform(0.25, 0.8)) * widest * min(luma.shape)
        beyond = np.clip(outside - np.float32(step), 0.0, 1.0)
        level = level + beyond * ((light if black else dark) - level)
    seen = luma + cover * (level - luma)
    return np.asarray(seen, np.float32), np.asarray(chroma * (1.0 - cover), np.float32)


def _distance(shape: tuple[int, ...], widest: float, rng: np.random.Generator) -> Floats:
    """Pixels outside of the picture's edge, H x W float32, negative inside of it.

    The distance to a box with round corners: that to a smaller box, less the radius.
    """
    size = np.array(shape[:2], np.float32)
    # Top, left, bottom, right.
    widths = rng.uniform(0.1, 1.0, 4) * widest * np.tile(size, 2)
    if rng.random() < 0.5:
        widths[:] = widths[0]
    widths[rng.permutation(4)[int(rng.integers(1, 5)) :]] = -_BEYOND * float(size.max())
    radius = float(rng.uniform(0.0, 0.08)) * float(size.min()) if rng.random() < 0.4 else 0.0
    low, high = widths[:2], size - 1.0 - widths[2:]
    middle = ((low + high) / 2.0).astype(np.float32)
    half = ((high - low) / 2.0 - radius).astype(np.float32)
    tilt = np.float32(rng.normal(0.0, 0.006))
    down, right = (np.arange(length, dtype=np.float32) for length in shape[:2])
    # A small turn about the crop's own middle, where sine is the angle.
    turned_down = down[:, None] + tilt * (right - size[1] / 2)[None, :]
    turned_right = right[None, :] - tilt * (down - size[0] / 2)[:, None]
    y = np.abs(turned_down - middle[0]) - half[0]
    x = np.abs(turned_right - middle[1]) - half[1]
    corner = np.sqrt(np.square(np.maximum(y, 0.0)) + np.square(np.maximum(x, 0.0)))
    return np.asarray(corner + np.minimum(np.maximum(y, x), 0.0) - radius, np.float32)
