"""Light where it does not belong: halation, uneven light and fading, tarnished edges.

Every function takes luma (H x W float32 in [0, 1]), its greatest strength in [0, 1], and
the chance; it returns a new H x W float32 in [0, 1].
"""

import cv2
import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32]
_SHRINK = 4


def halate(luma: Plane, strength: float, rng: np.random.Generator) -> Plane:
    """A wide, soft glow around highlights; nothing gets darker.

    Light passes the emulsion, is reflected at the rear of film or plate, and exposes it
    again further out (Jacobson et al., The Manual of Photography, "Halation").  Exposure
    is added, not luma; it is taken as the square of luma.  `strength`: the greatest part of
    a highlight's exposure that comes back.
    """
    height, width = luma.shape
    exposure = np.square(luma)
    # What is white may have been far brighter; what is grey adds next to nothing.
    small = cv2.resize(
        np.square(exposure),
        (max(1, width // _SHRINK), max(1, height // _SHRINK)),
        interpolation=cv2.INTER_AREA,
    )
    sigma = max(0.5, float(rng.uniform(0.02, 0.07)) * min(small.shape))
    # Two widths make the long tail that one bell curve lacks.
    glow = 0.6 * cv2.GaussianBlur(small, (0, 0), sigma)
    glow += 0.4 * cv2.GaussianBlur(small, (0, 0), 3.0 * sigma)
    back = cv2.resize(glow, (width, height), interpolation=cv2.INTER_LINEAR)
    part = np.float32(rng.uniform(0.3, 1.0) * strength)
    seen = np.sqrt(exposure + part * np.maximum(back, 0.0))
    return np.asarray(np.clip(seen, luma, 1.0), np.float32)


def shade(luma: Plane, strength: float, rng: np.random.Generator) -> Plane:
    """Dark corners, one side darker, or one side faded towards the paper.

    Corners darken with the fourth power of the cosine off the axis (the lens's natural
    vignetting), which is its square in luma; the middle of the picture may lie outside of a
    crop.  Fading and a scanner's lamp change slowly across it.
    """
    down, right = _coordinates(luma.shape)
    amount = np.float32(rng.uniform(0.3, 1.0) * strength)
    kind = rng.random()
    if kind < 0.4:
        middle = rng.uniform(-0.7, 0.7, 2).astype(np.float32)
        off = np.square(down - middle[0]) + np.square(right - middle[1])
        farthest = np.square(1.0 + np.abs(middle)).sum(dtype=np.float32)
        # cos^2 = 1 / (1 + tan^2), scaled so that the farthest corner loses `amount`.
        tan = amount / np.maximum(np.float32(0.05), np.float32(1.0) - amount)
        return np.asarray(luma / (1.0 + off * (tan / farthest)), np.float32)
    angle = float(rng.uniform(0.0, 2.0 * np.pi))
    across, along = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    ramp = across * right + along * down
    ramp = 0.5 + ramp / (2.0 * (np.abs(across) + np.abs(along)))
    field = np.float32(amount) * (np.square(ramp) if rng.random() < 0.5 else ramp)
    if kind < 0.7:
        return np.asarray(np.clip(luma * (1.0 - field), 0.0, 1.0), np.float32)
    paper = np.float32(rng.uniform(0.6, 0.9))
    return np.asarray(np.clip(luma + field * (paper - luma), 0.0, 1.0), np.float32)


def tarnish(luma: Plane, strength: float, rng: np.random.Generator) -> Plane:
    """Silver mirroring and edge fading: shadows turn to grey from one or two edges inwards.

    Silver migrates to the surface where air and damp reach it, so from the edges, and shows
    in the darks most (American Institute for Conservation, wiki, "Silver mirroring").
    """
    height, width = luma.shape
    down, right = _coordinates(luma.shape)
    reach = np.float32(rng.uniform(0.08, 0.4))
    first = int(rng.integers(4))
    chosen = {first, (first + 1) % 4} if rng.random() < 0.5 else {first}
    distances = (1.0 + down, 1.0 - right, 1.0 - down, 1.0 + right)
    near = np.zeros_like(luma)
    for index in chosen:
        near = np.maximum(near, np.exp(-distances[index] / reach))
    ragged = cv2.resize(rng.random((5, 5), np.float32), (width, height))
    weight = np.float32(rng.uniform(0.5, 1.0) * strength) * near * (0.35 + 0.65 * ragged)
    silver = np.float32(rng.uniform(0.5, 0.8))
    return np.asarray(luma + weight * np.maximum(silver - luma, 0.0), np.float32)


def _coordinates(shape: tuple[int, ...]) -> tuple[Plane, Plane]:
    """A column and a row that run from -1 to 1 over a picture's height and width."""
    down = np.linspace(-1.0, 1.0, shape[0], dtype=np.float32)
    right = np.linspace(-1.0, 1.0, shape[1], dtype=np.float32)
    return down[:, None], right[None, :]
