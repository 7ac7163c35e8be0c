"""Make new photographs look old: film response, light, decay, damage, borders, JPEG.

Only the luma that the network sees changes; the true chroma stays, except under a border, which
is grey.
"""

from collections.abc import Callable

import cv2
import numpy as np
import simplejpeg

from archive_colorizer.color.space import B_FROM_CB, G_FROM_CB, G_FROM_CR, R_FROM_CR, FloatArray
from archive_colorizer.training.config import Aging
from archive_colorizer.training.data.damage import (
    add_border,
    add_cracks,
    add_dust,
    add_fold,
    add_halftone,
    add_scratches,
    add_stain,
)

Augmentation = Callable[[FloatArray, float, np.random.Generator], FloatArray]
_SHRINK = 4


def age(
    luma: FloatArray, chroma: FloatArray, aging: Aging, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Simulate an old camera, decay and a scanner on a crop.

    luma: H x W float32 in [0, 1]; chroma: 2 x H x W float32, CbCr in [-0.5, 0.5].
    Returns luma as a new array in [0, 1], and chroma, which is `chroma` itself unless there is
    a border.  All randomness comes from `rng`.
    """
    aged = luma
    if rng.random() < aging.response_share:
        aged = apply_film_response(aged, chroma, draw_film_response(aging, rng))
    aged = _apply_changes(aged, [(aging.halation_share, aging.halation, add_halation)], rng)
    if rng.random() < aging.share:
        aged = change_tone(aged, aging.fade, rng)
        optics: list[tuple[float, float, Augmentation]] = [
            (0.5, aging.blur, add_blur),
            (0.7, aging.grain, add_grain),
        ]
        aged = _apply_changes(aged, optics, rng)
    decay: list[tuple[float, float, Augmentation]] = [
        (aging.tarnish_share, aging.tarnish, add_tarnish),
        (aging.shading_share, aging.shading, add_shading),
        (aging.screen_share, aging.screen, add_halftone),
        (aging.stain_share, aging.stain, add_stain),
    ]
    aged = _apply_changes(aged, decay, rng)
    if rng.random() < aging.border_share:
        aged, chroma = add_border(aged, chroma, aging.border, rng)
    marks: list[tuple[float, float, Augmentation]] = [
        (aging.fold_share, aging.fold, add_fold),
        (aging.crack_share, aging.crack, add_cracks),
        (aging.scratch_share, aging.scratch, add_scratches),
        (aging.dust_share, aging.dust, add_dust),
    ]
    aged = _apply_changes(aged, marks, rng)
    if rng.random() < aging.jpeg_share:
        aged = add_jpeg_artifacts(aged, int(rng.integers(35, 92)))
    return np.asarray(np.clip(aged, 0.0, 1.0), np.float32), chroma


def draw_film_response(aging: Aging, rng: np.random.Generator) -> FloatArray:
    """Draw weights of red, green and blue that sum to 1.

    Orthochromatic emulsions are nearly blind to red; panchromatic ones see all colors, with
    more blue than the eye.
    """
    if rng.random() < aging.orthochromatic_share:
        mix = rng.dirichlet((0.4, 4.0, 4.0))
    else:
        mix = rng.dirichlet((3.0, 4.0, 2.0))
    return mix.astype(np.float32)


def apply_film_response(luma: FloatArray, chroma: FloatArray, mix: FloatArray) -> FloatArray:
    """Compute the grey of a film with weights `mix` of R, G, B, from Y, Cb and Cr.

    BT.601's own weights 0.299, 0.587, 0.114 reproduce the luma.
    """
    red, green, blue = (float(weight) for weight in mix)
    to_cb = B_FROM_CB * blue + G_FROM_CB * green
    to_cr = R_FROM_CR * red + G_FROM_CR * green
    response = luma * (red + green + blue) + to_cb * chroma[0] + to_cr * chroma[1]
    clipped: FloatArray = np.clip(response, 0.0, 1.0, dtype=np.float32)
    return clipped


def change_tone(luma: FloatArray, fade: float, rng: np.random.Generator) -> FloatArray:
    """Change exposure and contrast, then fade blacks and whites; the order of tones stays.

    fade: the largest part of the range that is lost.
    """
    gamma = float(np.exp(rng.uniform(-0.4, 0.4)))
    loss = rng.uniform(0.0, fade, 2) / 2
    toned: FloatArray = np.power(luma, gamma, dtype=np.float32)
    steep = float(rng.uniform(-0.3, 0.5))
    toned = toned + steep * (toned - 0.5) * (1.0 - np.abs(2.0 * toned - 1.0))
    return np.asarray(loss[0] + (1.0 - loss.sum()) * np.clip(toned, 0.0, 1.0), np.float32)


def add_blur(luma: FloatArray, max_sigma: float, rng: np.random.Generator) -> FloatArray:
    """Blur like a lens or an enlarger out of focus; max_sigma is the largest sigma in pixels."""
    sigma = float(rng.uniform(0.3, max(0.3, max_sigma)))
    return np.asarray(cv2.GaussianBlur(luma, (0, 0), sigma), np.float32)


def add_grain(luma: FloatArray, strength: float, rng: np.random.Generator) -> FloatArray:
    """Add grain of a random size, strongest in the middle greys; the result may leave [0, 1].

    strength: the largest standard deviation.  Weak grain is the most frequent, because scans
    at the size of the network's input have little.
    """
    noise = rng.standard_normal(luma.shape, dtype=np.float32)
    if rng.random() < 0.6:
        sigma = float(rng.uniform(0.4, 1.0))
        noise = cv2.GaussianBlur(noise, (0, 0), sigma) * (2.0 * sigma * np.sqrt(np.pi, dtype="f4"))
    amount = np.float32(strength * rng.random() ** 2)
    return np.asarray(luma + amount * noise * (0.4 + 2.4 * luma * (1.0 - luma)), np.float32)


def add_halation(luma: FloatArray, strength: float, rng: np.random.Generator) -> FloatArray:
    """Add a wide, soft glow around highlights; no pixel gets darker.

    Light passes the emulsion, is reflected at the rear of film or plate, and exposes it again
    further out (Jacobson et al., The Manual of Photography, "Halation").  The sum is one of
    exposures, which are the square of luma.  strength: the largest part of a highlight's
    exposure that is reflected.
    """
    height, width = luma.shape
    exposure = np.square(luma)
    # White areas may have been far brighter; grey ones add next to nothing.
    size = max(1, width // _SHRINK), max(1, height // _SHRINK)
    small = cv2.resize(np.square(exposure), size, interpolation=cv2.INTER_AREA)
    sigma = max(0.5, float(rng.uniform(0.02, 0.07)) * min(small.shape))
    # The sum of two Gaussians has the long tail that one lacks.
    glow = 0.6 * cv2.GaussianBlur(small, (0, 0), sigma)
    glow += 0.4 * cv2.GaussianBlur(small, (0, 0), 3.0 * sigma)
    reflected = cv2.resize(glow, (width, height), interpolation=cv2.INTER_LINEAR)
    part = np.float32(rng.uniform(0.3, 1.0) * strength)
    result = np.sqrt(exposure + part * np.maximum(reflected, 0.0))
    return np.asarray(np.clip(result, luma, 1.0), np.float32)


def add_shading(luma: FloatArray, strength: float, rng: np.random.Generator) -> FloatArray:
    """Darken the corners or one side, or fade one side towards the paper.

    Corners darken with the fourth power of the cosine off the axis (natural vignetting), which
    is its square in luma; the center of the picture may lie outside the crop.  Fading and a
    scanner's lamp vary slowly across it.
    """
    down, right = _build_coordinates(luma.shape)
    amount = np.float32(rng.uniform(0.3, 1.0) * strength)
    choice = rng.random()
    if choice < 0.4:
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
    if choice < 0.7:
        return np.asarray(np.clip(luma * (1.0 - field), 0.0, 1.0), np.float32)
    paper = np.float32(rng.uniform(0.6, 0.9))
    return np.asarray(np.clip(luma + field * (paper - luma), 0.0, 1.0), np.float32)


def add_tarnish(luma: FloatArray, strength: float, rng: np.random.Generator) -> FloatArray:
    """Turn shadows to grey from one or two edges inwards, like silver mirroring and fading.

    Silver migrates to the surface where air and damp reach it, and shows most in dark areas
    (American Institute for Conservation, wiki, "Silver mirroring").
    """
    height, width = luma.shape
    down, right = _build_coordinates(luma.shape)
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


def _build_coordinates(shape: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    """Return a column and a row that run from -1 to 1 over the height and the width."""
    down = np.linspace(-1.0, 1.0, shape[0], dtype=np.float32)
    right = np.linspace(-1.0, 1.0, shape[1], dtype=np.float32)
    return down[:, None], right[None, :]


def add_jpeg_artifacts(luma: FloatArray, quality: int) -> FloatArray:
    """Encode and decode luma as a grey JPEG of `quality` 1 to 100."""
    grey = np.round(np.clip(luma, 0.0, 1.0)[..., None] * 255.0).astype(np.uint8)
    jpeg = simplejpeg.encode_jpeg(grey, quality=quality, colorspace="GRAY")
    decoded = simplejpeg.decode_jpeg(jpeg, colorspace="GRAY")[..., 0]
    return np.asarray(decoded, np.float32) / np.float32(255.0)


def _apply_changes(
    luma: FloatArray, changes: list[tuple[float, float, Augmentation]], rng: np.random.Generator
) -> FloatArray:
    """Apply each change (share, strength, function) with the probability `share`."""
    for share, strength, change in changes:
        if rng.random() < share:
            luma = change(luma, strength, rng)
    return luma
