"""What lies on an old photograph: scratches, dust, stains, the dots of a printing press.

Every function takes luma (H x W float32 in [0, 1]), its greatest strength in [0, 1], and
the chance; it returns a new H x W float32 in [0, 1].  Lengths follow the crop's size, widths
are pixels: a photograph is scanned so that such marks are about as wide as a pixel.
"""

import cv2
import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32]
_SHIFT = 4
"""Bits of a fraction of a pixel in OpenCV's drawing."""


def scratch(luma: Plane, strength: float, rng: np.random.Generator) -> Plane:
    """One to five thin lines, mostly upright and long, all lighter or all darker.

    Film is scratched along its way through camera and projector (Kokaram, Motion Picture
    Restoration, 1998); on the emulsion of a negative a scratch prints dark, on its support
    or on a print it is light.  `strength`: the greatest opacity.
    """
    size = np.array(luma.shape[::-1], np.float32)
    mask = np.zeros(luma.shape, np.uint8)
    for _ in range(int(rng.integers(1, 6))):
        opacity = float(rng.uniform(0.3, 1.0)) * strength
        begin = rng.uniform(-0.1, 1.0, 2) * size
        if rng.random() < 0.7:
            way = np.array([rng.normal(0.0, 0.03), rng.uniform(0.4, 1.3)]) * size[1]
            bow = float(rng.normal(0.0, 0.012))
        else:
            angle = float(rng.uniform(0.0, np.pi))
            way = np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(0.15, 0.7) * size.min()
            bow = float(rng.normal(0.0, 0.08))
        _draw(mask, _curve(begin, way, bow), opacity)
    # A scratch comes and goes along its way.
    worn = cv2.resize(rng.uniform(0.25, 1.0, (9, 1)).astype(np.float32), (1, luma.shape[0]))
    return _cover(luma, mask.astype(np.float32) * (worn / np.float32(255.0)), _level(0.65, rng))


def dust(luma: Plane, strength: float, rng: np.random.Generator) -> Plane:
    """Specks, most of them tiny, and now and then a fiber; `strength`: the greatest opacity.

    Dust on a negative prints white, on a print it is dark.  Sizes follow a power law.
    """
    mask = np.zeros(luma.shape, np.uint8)
    size = np.array(luma.shape[::-1], np.float32)
    count = max(1, round(float(np.exp(rng.uniform(0.7, 3.6))) * luma.size / 128**2))
    places = rng.random((count, 2)) * size
    radii = np.minimum(0.3 * rng.random(count) ** -0.45, 2.2)
    opacities = rng.uniform(0.3, 1.0, count) * strength
    for place, radius, opacity in zip(places, radii, opacities, strict=True):
        _dot(mask, place, float(radius), float(opacity))
    for _ in range(int(rng.integers(1, 3)) if rng.random() < 0.35 else 0):
        angle = float(rng.uniform(0.0, 2.0 * np.pi))
        way = np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(5.0, 20.0)
        curve = _curve(rng.random(2) * size, way, float(rng.normal(0.0, 0.3)))
        _draw(mask, curve, float(rng.uniform(0.4, 0.9)) * strength)
    return _cover(luma, mask.astype(np.float32) / np.float32(255.0), _level(0.7, rng))


def stain(luma: Plane, strength: float, rng: np.random.Generator) -> Plane:
    """A water stain with its dark tide line, or the soft brown dots of foxing.

    Both darken what is light and leave the darks almost as they are, as a dye does.
    `strength`: the greatest part of the light that is lost.
    """
    amount = np.float32(rng.uniform(0.4, 1.0) * strength)
    if rng.random() < 0.5:
        mask = np.zeros(luma.shape, np.uint8)
        for _ in range(int(rng.integers(2, 14))):
            place = rng.random(2) * luma.shape[::-1]
            _dot(mask, place, float(rng.uniform(0.8, 3.5)), float(rng.uniform(0.4, 1.0)))
        soft = cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(0.7, 1.6)))
        return np.asarray(luma * (1.0 - soft * (amount / np.float32(255.0))), np.float32)
    field = _waves(luma.shape, 4, rng) + np.float32(0.12) * _waves(luma.shape, 24, rng)
    shore = field - np.float32(rng.uniform(0.6, 0.85))
    inside = np.clip(shore * np.float32(12.0), 0.0, 1.0) * np.float32(rng.uniform(0.1, 0.5))
    # What the water carried lies at its edge: steep outside, thinning out inwards.
    tide = np.clip(np.minimum(1.0 + 40.0 * shore, 1.0 - 9.0 * shore), 0.0, 1.0) * 0.5
    return np.asarray(luma * (1.0 - amount * (inside + tide)), np.float32)


def screen(luma: Plane, strength: float, rng: np.random.Generator) -> Plane:
    """The dots of a half-tone print, in a square grid at about 45 degrees; the mean stays.

    Black is printed at 45 degrees, where the grid is seen least.  A reduced scan shows the
    dots softened, deepest in the middle greys; so two waves do in place of hard dots.
    """
    angle = np.pi / 4 + float(rng.normal(0.0, 0.03))
    pace = 2.0 * np.pi / float(rng.uniform(2.4, 4.2))
    across, along = pace * np.cos(angle), pace * np.sin(angle)
    down, right = (np.arange(length, dtype=np.float32) for length in luma.shape)
    one = np.outer(np.exp(1j * across * down), np.exp(1j * along * right)).real
    other = np.outer(np.exp(-1j * along * down), np.exp(1j * across * right)).real
    dots = (one + other).astype(np.float32) * np.float32(rng.uniform(0.3, 1.0) * strength)
    return np.asarray(np.clip(luma + dots * (2.0 * luma * (1.0 - luma)), 0.0, 1.0), np.float32)


def _waves(shape: tuple[int, ...], count: int, rng: np.random.Generator) -> Plane:
    """Smooth noise around 0.5, H x W float32, of about `count` waves a side."""
    noise = rng.random((count, count), np.float32)
    made = cv2.resize(noise, shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(made, np.float32)


def _level(light: float, rng: np.random.Generator) -> np.float32:
    """How bright a mark is: near white with the chance `light`, or else near black."""
    return np.float32(rng.uniform(0.8, 1.0) if rng.random() < light else rng.uniform(0.0, 0.2))


def _cover(luma: Plane, opacity: Plane, level: np.float32) -> Plane:
    return np.asarray(luma + opacity * (level - luma), np.float32)


def _curve(
    begin: npt.NDArray[np.float64], way: npt.NDArray[np.float64], bow: float
) -> npt.NDArray[np.float64]:
    """Points, N x 2 as x, y, on an arc whose height is `bow` times its length."""
    part = np.linspace(0.0, 1.0, 9)[:, None]
    aside = np.array([-way[1], way[0]]) * bow
    return np.asarray(begin + part * way + 4.0 * part * (1.0 - part) * aside)


def _draw(mask: npt.NDArray[np.uint8], points: npt.NDArray[np.float64], opacity: float) -> None:
    fixed = np.round(points * 2**_SHIFT).astype(np.int32)
    cv2.polylines(mask, [fixed], False, 255.0 * opacity, 1, cv2.LINE_AA, _SHIFT)


def _dot(
    mask: npt.NDArray[np.uint8], place: npt.NDArray[np.float64], radius: float, opacity: float
) -> None:
    middle = tuple(round(float(one) * 2**_SHIFT) for one in place)
    size = max(1, round(radius * 2**_SHIFT))
    cv2.circle(mask, middle, size, 255.0 * opacity, cv2.FILLED, cv2.LINE_AA, _SHIFT)
