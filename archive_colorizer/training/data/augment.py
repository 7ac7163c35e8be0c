"""New photographs made to look old: film response, light, decay, damage, borders, JPEG.

Only the luma that the network sees is changed; the chroma it is to find stays true, except
under a border, which is grey.
"""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

from archive_colorizer.color.space import B_FROM_CB, G_FROM_CB, G_FROM_CR, R_FROM_CR
from archive_colorizer.training.config import Aging
from archive_colorizer.training.data.border import border
from archive_colorizer.training.data.damage import dust, scratch, screen, stain
from archive_colorizer.training.data.light import halate, shade, tarnish

Plane = npt.NDArray[np.float32]
Change = Callable[[Plane, float, np.random.Generator], Plane]


def age(
    luma: Plane, chroma: npt.NDArray[np.float32], aging: Aging, rng: np.random.Generator
) -> tuple[Plane, npt.NDArray[np.float32]]:
    """What an old camera, a long time and a scanner would have made of a crop.

    luma: H x W float32 in [0, 1]; chroma: 2 x H x W float32, CbCr in [-0.5, 0.5].
    Returns luma as a new array, H x W float32 in [0, 1], and chroma, which is `chroma`
    itself unless there is a border.  All chance comes from `rng`.
    """
    seen = luma
    if rng.random() < aging.response_share:
        seen = respond(seen, chroma, film_response(aging, rng))
    seen = _changed(seen, [(aging.halation_share, aging.halation, halate)], rng)
    if rng.random() < aging.share:
        seen = tone(seen, aging.fade, rng)
        often: list[tuple[float, float, Change]] = [
            (0.5, aging.blur, blur),
            (0.7, aging.grain, grain),
        ]
        seen = _changed(seen, often, rng)
    years: list[tuple[float, float, Change]] = [
        (aging.tarnish_share, aging.tarnish, tarnish),
        (aging.shading_share, aging.shading, shade),
        (aging.screen_share, aging.screen, screen),
        (aging.stain_share, aging.stain, stain),
    ]
    seen = _changed(seen, years, rng)
    if rng.random() < aging.border_share:
        seen, chroma = border(seen, chroma, aging.border, rng)
    marks: list[tuple[float, float, Change]] = [
        (aging.scratch_share, aging.scratch, scratch),
        (aging.dust_share, aging.dust, dust),
    ]
    seen = _changed(seen, marks, rng)
    if rng.random() < aging.jpeg_share:
        seen = compress(seen, int(rng.integers(35, 92)))
    return np.asarray(np.clip(seen, 0.0, 1.0), np.float32), chroma


def film_response(aging: Aging, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Weights of red, green and blue that add up to 1.

    Orthochromatic emulsions are all but blind to red; panchromatic ones see everything,
    with more blue than the eye.
    """
    if rng.random() < aging.orthochromatic_share:
        mix = rng.dirichlet((0.4, 4.0, 4.0))
    else:
        mix = rng.dirichlet((3.0, 4.0, 2.0))
    return mix.astype(np.float32)


def respond(luma: Plane, chroma: npt.NDArray[np.float32], mix: npt.NDArray[np.float32]) -> Plane:
    """The grey that `mix` (weights of R, G, B) makes of a crop, from its Y, Cb and Cr.

    With BT.601's own weights 0.299, 0.587, 0.114 it gives the luma back.
    """
    red, green, blue = (float(weight) for weight in mix)
    to_cb = B_FROM_CB * blue + G_FROM_CB * green
    to_cr = R_FROM_CR * red + G_FROM_CR * green
    made: Plane = np.clip(
        luma * (red + green + blue) + to_cb * chroma[0] + to_cr * chroma[1],
        0.0,
        1.0,
        dtype=np.float32,
    )
    return made


def tone(luma: Plane, fade: float, rng: np.random.Generator) -> Plane:
    """Exposure and gradation, then the blacks and whites lost to time and to the scanner.

    What was brighter stays brighter.  `fade`: the greatest part of the range that is lost.
    """
    gamma = float(np.exp(rng.uniform(-0.4, 0.4)))
    lost = rng.uniform(0.0, fade, 2) / 2
    toned: Plane = np.power(luma, gamma, dtype=np.float32)
    steep = float(rng.uniform(-0.3, 0.5))
    toned = toned + steep * (toned - 0.5) * (1.0 - np.abs(2.0 * toned - 1.0))
    return np.asarray(lost[0] + (1.0 - lost.sum()) * np.clip(toned, 0.0, 1.0), np.float32)


def blur(luma: Plane, widest: float, rng: np.random.Generator) -> Plane:
    """A lens, or an enlarger, out of focus; `widest`: the greatest sigma in pixels."""
    sigma = float(rng.uniform(0.3, max(0.3, widest)))
    return np.asarray(cv2.GaussianBlur(luma, (0, 0), sigma), np.float32)


def grain(luma: Plane, strength: float, rng: np.random.Generator) -> Plane:
    """Grain of a random size, strongest in the middle greys; may leave [0, 1].

    `strength`: the greatest standard deviation; weak grain is drawn most, since at the size
    that a network sees, scans of plates and of films have little.
    """
    noise = rng.standard_normal(luma.shape, dtype=np.float32)
    if rng.random() < 0.6:
        sigma = float(rng.uniform(0.4, 1.0))
        noise = cv2.GaussianBlur(noise, (0, 0), sigma) * (2.0 * sigma * np.sqrt(np.pi, dtype="f4"))
    amount = np.float32(strength * rng.random() ** 2)
    return np.asarray(luma + amount * noise * (0.4 + 2.4 * luma * (1.0 - luma)), np.float32)


def compress(luma: Plane, quality: int) -> Plane:
    """Luma after a grey JPEG of the `quality`, 1 to 100."""
    grey = np.round(np.clip(luma, 0.0, 1.0)[..., None] * 255.0).astype(np.uint8)
    jpeg = simplejpeg.encode_jpeg(grey, quality=quality, colorspace="GRAY")
    back = simplejpeg.decode_jpeg(jpeg, colorspace="GRAY")[..., 0]
    return np.asarray(back, np.float32) / np.float32(255.0)


def _changed(
    luma: Plane, changes: list[tuple[float, float, Change]], rng: np.random.Generator
) -> Plane:
    """Luma after those changes (share, strength, function) that chance picks."""
    for share, strength, change in changes:
        if rng.random() < share:
            luma = change(luma, strength, rng)
    return luma
