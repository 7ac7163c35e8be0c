"""Add scratches, dust, stains, halftone dots and borders.

Every function takes luma (H x W float32 in [0, 1]), its largest strength in [0, 1], and the
random generator; it returns a new H x W float32 in [0, 1].  Lengths follow the crop's size,
widths are pixels: scans usually show such marks about one pixel wide.
"""

import cv2
import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import ByteArray, FloatArray

_Points = npt.NDArray[np.float64]
_SHIFT = 4
"""Fractional bits of pixel coordinates in OpenCV's drawing."""
_BEYOND = 4.0
"""Position of an edge outside the crop, in sides of the crop."""


def add_scratches(luma: FloatArray, strength: float, rng: np.random.Generator) -> FloatArray:
    """Add one to five thin lines, mostly vertical and long, all lighter or all darker.

    Film is scratched in its direction of travel (Kokaram, Motion Picture Restoration, 1998); a
    scratch in the emulsion of a negative prints dark, in its support or in a print it is light.
    strength: the largest opacity.
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
        _draw_line(mask, _build_curve(begin, way, bow), opacity)
    # The opacity varies along a scratch.
    worn = cv2.resize(rng.uniform(0.25, 1.0, (9, 1)).astype(np.float32), (1, luma.shape[0]))
    opacities = mask.astype(np.float32) * (worn / np.float32(255.0))
    return _cover(luma, opacities, _draw_level(0.65, rng))


def add_dust(luma: FloatArray, strength: float, rng: np.random.Generator) -> FloatArray:
    """Add mostly tiny specks, and sometimes a fiber; `strength` is the largest opacity.

    Dust on a negative prints white, on a print it is dark.  Sizes follow a power law.
    """
    mask = np.zeros(luma.shape, np.uint8)
    size = np.array(luma.shape[::-1], np.float32)
    count = max(1, round(float(np.exp(rng.uniform(0.7, 3.6))) * luma.size / 128**2))
    centers = rng.random((count, 2)) * size
    radii = np.minimum(0.3 * rng.random(count) ** -0.45, 2.2)
    opacities = rng.uniform(0.3, 1.0, count) * strength
    for center, radius, opacity in zip(centers, radii, opacities, strict=True):
        _draw_dot(mask, center, float(radius), float(opacity))
    for _ in range(int(rng.integers(1, 3)) if rng.random() < 0.35 else 0):
        angle = float(rng.uniform(0.0, 2.0 * np.pi))
        way = np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(5.0, 20.0)
        curve = _build_curve(rng.random(2) * size, way, float(rng.normal(0.0, 0.3)))
        _draw_line(mask, curve, float(rng.uniform(0.4, 0.9)) * strength)
    return _cover(luma, mask.astype(np.float32) / np.float32(255.0), _draw_level(0.7, rng))


def add_cracks(luma: FloatArray, strength: float, rng: np.random.Generator) -> FloatArray:
    """Add one to four branching cracks of the emulsion, light with a dark rim or dark.

    A crack runs on in nearly its direction and turns in small steps; branches are shorter and
    leave it at a wide angle, as in drying gelatine.  strength: the largest opacity.
    """
    core, rim = np.zeros(luma.shape, np.uint8), np.zeros(luma.shape, np.uint8)
    size = np.array(luma.shape[::-1], np.float64)
    pending = [
        (rng.random(2) * size, float(rng.uniform(0.0, 2.0 * np.pi)), float(rng.uniform(0.2, 1.0)))
        for _ in range(int(rng.integers(1, 5)))
    ]
    width = int(rng.integers(1, 4))
    opacity = float(rng.uniform(0.4, 1.0)) * strength
    while pending:
        begin, angle, length = pending.pop()
        angles = angle + np.cumsum(rng.normal(0.0, 0.25, 24))
        step = length * size.min() / 24
        path = begin + step * np.cumsum(np.stack([np.cos(angles), np.sin(angles)], 1), 0)
        _draw_line(rim, path, 0.6 * opacity, width + 2)
        _draw_line(core, path, opacity, width)
        if length > 0.15 and rng.random() < 0.7:
            place = int(rng.integers(24))
            turn = float(rng.choice((-1.0, 1.0)) * rng.uniform(0.6, 1.4))
            pending.append((path[place], float(angles[place]) + turn, 0.5 * length))
    level = _draw_level(0.75, rng)
    if level > 0.5:
        luma = _cover(luma, rim.astype(np.float32) / np.float32(255.0), np.float32(0.1))
    return _cover(luma, core.astype(np.float32) / np.float32(255.0), level)


def add_fold(luma: FloatArray, strength: float, rng: np.random.Generator) -> FloatArray:
    """Add a fold across the picture, or a tear from its edge: a white line and a step in tone.

    The emulsion breaks off along a fold, and the two sides reflect the scanner's light
    differently.  strength: the largest opacity.
    """
    size = np.array(luma.shape[::-1], np.float64)
    angle = float(rng.choice((0.0, np.pi / 2))) + float(rng.normal(0.0, 0.25))
    along = np.array([np.cos(angle), np.sin(angle)])
    middle = rng.uniform(0.15, 0.85, 2) * size
    reach = np.linspace(-1.5, 1.5, 60)
    if rng.random() < 0.4:  # a tear ends inside the picture
        reach = reach[: int(rng.integers(20, 45))]
    ragged = np.cumsum(rng.normal(0.0, float(rng.uniform(0.1, 0.8)), len(reach)))
    normal = np.array([-along[1], along[0]])
    path = middle + reach[:, None] * size.min() * along + ragged[:, None] * normal
    mask = np.zeros(luma.shape, np.uint8)
    _draw_line(mask, path, float(rng.uniform(0.4, 1.0)) * strength, int(rng.integers(1, 5)))
    down, right = (np.arange(length, dtype=np.float32) for length in luma.shape)
    offset = (right - middle[0])[None] * normal[0] + (down - middle[1])[:, None] * normal[1]
    depth = rng.normal(0.0, 0.12)
    shade = np.exp(-np.abs(offset) / float(rng.uniform(2.0, 12.0))) * np.sign(offset) * depth
    shaded = np.clip(luma * (1.0 + shade), 0.0, 1.0).astype(np.float32)
    worn = mask.astype(np.float32) / np.float32(255.0)
    worn *= cv2.resize(rng.uniform(0.4, 1.0, (8, 8)).astype(np.float32), luma.shape[::-1])
    return _cover(shaded, worn, _draw_level(0.85, rng))


def add_stain(luma: FloatArray, strength: float, rng: np.random.Generator) -> FloatArray:
    """Add a water stain with its dark tide line, or the soft brown dots of foxing.

    Like a dye, both darken light areas most.  strength: the largest part of the light that is
    lost.
    """
    amount = np.float32(rng.uniform(0.4, 1.0) * strength)
    if rng.random() < 0.5:
        mask = np.zeros(luma.shape, np.uint8)
        for _ in range(int(rng.integers(2, 14))):
            center = rng.random(2) * luma.shape[::-1]
            _draw_dot(mask, center, float(rng.uniform(0.8, 3.5)), float(rng.uniform(0.4, 1.0)))
        soft = cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(0.7, 1.6)))
        return np.asarray(luma * (1.0 - soft * (amount / np.float32(255.0))), np.float32)
    field = _draw_noise(luma.shape, 4, rng) + np.float32(0.12) * _draw_noise(luma.shape, 24, rng)
    shore = field - np.float32(rng.uniform(0.6, 0.85))
    inside = np.clip(shore * np.float32(12.0), 0.0, 1.0) * np.float32(rng.uniform(0.1, 0.5))
    # The residue lies at the edge of the water: steep outside, fading inwards.
    tide = np.clip(np.minimum(1.0 + 40.0 * shore, 1.0 - 9.0 * shore), 0.0, 1.0) * 0.5
    return np.asarray(luma * (1.0 - amount * (inside + tide)), np.float32)


def add_halftone(luma: FloatArray, strength: float, rng: np.random.Generator) -> FloatArray:
    """Add the dots of a halftone print in a square grid at about 45 degrees; the mean stays.

    Black is printed at 45 degrees, where the grid is least visible.  A reduced scan softens the
    dots, which are deepest in the middle greys, so two waves replace hard dots.
    """
    angle = np.pi / 4 + float(rng.normal(0.0, 0.03))
    frequency = 2.0 * np.pi / float(rng.uniform(2.4, 4.2))
    across, along = frequency * np.cos(angle), frequency * np.sin(angle)
    down, right = (np.arange(length, dtype=np.float32) for length in luma.shape)
    first_wave = np.outer(np.exp(1j * across * down), np.exp(1j * along * right)).real
    second_wave = np.outer(np.exp(-1j * along * down), np.exp(1j * across * right)).real
    amount = np.float32(rng.uniform(0.3, 1.0) * strength)
    dots = (first_wave + second_wave).astype(np.float32) * amount
    return np.asarray(np.clip(luma + dots * (2.0 * luma * (1.0 - luma)), 0.0, 1.0), np.float32)


def add_border(
    luma: FloatArray, chroma: FloatArray, max_width: float, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Add a border of black film or plate, or of white paper, on one to four sides.

    chroma: 2 x H x W float32; it becomes 0 where the border is opaque.  max_width: the largest
    width as a share of a side, in [0, 0.3].  Corners may be round, edges soft, the picture
    slightly tilted; a narrow border may have another one outside, like paper around a plate.
    """
    outside = _measure_distance(luma.shape, max_width, rng)
    softness = np.float32(rng.uniform(0.8, 3.0))
    cover = np.clip(outside / softness + np.float32(0.5), 0.0, 1.0)
    black = rng.random() < 0.6
    dark, light = np.float32(rng.uniform(0.0, 0.08)), np.float32(rng.uniform(0.82, 1.0))
    level: FloatArray | np.float32 = dark if black else light
    if rng.random() < 0.35:
        step = float(rng.uniform(0.25, 0.8)) * max_width * min(luma.shape)
        beyond = np.clip(outside - np.float32(step), 0.0, 1.0)
        level = level + beyond * ((light if black else dark) - level)
    bordered = luma + cover * (level - luma)
    return np.asarray(bordered, np.float32), np.asarray(chroma * (1.0 - cover), np.float32)


def _draw_noise(shape: tuple[int, ...], count: int, rng: np.random.Generator) -> FloatArray:
    noise = rng.random((count, count), np.float32)
    enlarged = cv2.resize(noise, shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(enlarged, np.float32)


def _draw_level(light: float, rng: np.random.Generator) -> np.float32:
    """Draw the level of a mark: near white with probability `light`, otherwise near black."""
    return np.float32(rng.uniform(0.8, 1.0) if rng.random() < light else rng.uniform(0.0, 0.2))


def _cover(luma: FloatArray, opacity: FloatArray, level: np.float32) -> FloatArray:
    return np.asarray(luma + opacity * (level - luma), np.float32)


def _build_curve(begin: _Points, way: _Points, bow: float) -> _Points:
    """Return points, N x 2 as x, y, on an arc whose height is `bow` times its length."""
    part = np.linspace(0.0, 1.0, 9)[:, None]
    aside = np.array([-way[1], way[0]]) * bow
    return np.asarray(begin + part * way + 4.0 * part * (1.0 - part) * aside)


def _draw_line(mask: ByteArray, points: _Points, opacity: float, width: int = 1) -> None:
    fixed = np.round(points * 2**_SHIFT).astype(np.int32)
    cv2.polylines(mask, [fixed], False, 255.0 * opacity, width, cv2.LINE_AA, _SHIFT)


def _draw_dot(mask: ByteArray, center: _Points, radius: float, opacity: float) -> None:
    fixed_center = tuple(round(float(coordinate) * 2**_SHIFT) for coordinate in center)
    size = max(1, round(radius * 2**_SHIFT))
    cv2.circle(mask, fixed_center, size, 255.0 * opacity, cv2.FILLED, cv2.LINE_AA, _SHIFT)


def _measure_distance(
    shape: tuple[int, ...], max_width: float, rng: np.random.Generator
) -> FloatArray:
    """Measure the distance in pixels to the picture's edge, H x W float32, negative inside.

    The picture is a box with round corners: the distance to a smaller box, less the radius.
    """
    size = np.array(shape[:2], np.float32)
    # Top, left, bottom, right.
    widths = rng.uniform(0.1, 1.0, 4) * max_width * np.tile(size, 2)
    if rng.random() < 0.5:
        widths[:] = widths[0]
    widths[rng.permutation(4)[int(rng.integers(1, 5)) :]] = -_BEYOND * float(size.max())
    radius = float(rng.uniform(0.0, 0.08)) * float(size.min()) if rng.random() < 0.4 else 0.0
    low, high = widths[:2], size - 1.0 - widths[2:]
    middle = ((low + high) / 2.0).astype(np.float32)
    half = ((high - low) / 2.0 - radius).astype(np.float32)
    tilt = np.float32(rng.normal(0.0, 0.006))
    down, right = (np.arange(length, dtype=np.float32) for length in shape[:2])
    # A small rotation about the center of the crop, with sin(a) = a.
    turned_down = down[:, None] + tilt * (right - size[1] / 2)[None, :]
    turned_right = right[None, :] - tilt * (down - size[0] / 2)[:, None]
    y = np.abs(turned_down - middle[0]) - half[0]
    x = np.abs(turned_right - middle[1]) - half[1]
    corner = np.sqrt(np.square(np.maximum(y, 0.0)) + np.square(np.maximum(x, 0.0)))
    return np.asarray(corner + np.minimum(np.maximum(y, x), 0.0) - radius, np.float32)
