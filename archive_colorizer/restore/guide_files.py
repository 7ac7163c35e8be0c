"""Decode the files that guide the color of a photograph: a mask, and strokes of known colors."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from archive_colorizer.color.space import FloatArray, Plane, get_white
from archive_colorizer.errors import GuideError, SourceError
from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.image.codecs import vips
from archive_colorizer.image.codecs.planes import extract_channel
from archive_colorizer.image.codecs.png import chunks as png_chunks
from archive_colorizer.image.codecs.png.codec import open_png
from archive_colorizer.image.raster import DecodeOptions
from archive_colorizer.recipe.color_hints import HintPoint

_PAINTED: Final = 0.02
"""Share of a small pixel that must be painted for its color to count."""
_BLACK: Final = 1 / 16
"""Paint below this share of white counts as black."""


@dataclass(frozen=True, slots=True, eq=False)
class Strokes:
    """Known colors at a small size: h x w x 3 sRGB (0..1), and h x w, 1 where one is known."""

    rgb: FloatArray
    held: FloatArray

    @classmethod
    def read(cls, data: bytes, name: str, max_pixels: int, size: tuple[int, int]) -> "Strokes":
        """Read the strokes on a transparent PNG, reduced to a small height x width.

        Colors are sRGB, and averaged where strokes meet.  Raises GuideError.
        """
        try:
            samples = _read_samples(data, name, max_pixels)
        except SourceError as error:
            raise GuideError(f"{error}") from None
        if samples.shape[2] not in (2, 4):
            raise GuideError(f"{name} is opaque; paint the known colors on a transparent layer")
        alpha = extract_channel(samples, samples.shape[2] - 1)
        rows, columns = np.nonzero(alpha)
        if rows.size == alpha.size and int(alpha.min()) == get_white(alpha):
            raise GuideError(f"{name} is opaque; paint the known colors on a transparent layer")
        height, width = size
        cells = (rows * height // alpha.shape[0]) * width + columns * width // alpha.shape[1]
        paint = alpha[rows, columns] / np.float64(get_white(alpha))
        amount = np.bincount(cells, paint, height * width)
        colors = [samples[rows, columns, at % (samples.shape[2] - 1)] for at in range(3)]
        total = [np.bincount(cells, paint * color, height * width) for color in colors]
        rgb = np.stack(total, axis=1) / np.maximum(amount, 1e-9)[:, None] / get_white(alpha)
        # A picture with fewer pixels than cells leaves gaps between them, which stay open.
        held = amount > _PAINTED * max(alpha.size / (height * width), 1)
        return cls(
            np.asarray(rgb.reshape(height, width, 3), dtype=np.float32),
            np.asarray(held.reshape(height, width), dtype=np.float32),
        )


def read_mask(data: bytes, name: str, max_pixels: int) -> Plane:
    """Read a mask, upright: white keeps all of the color, black makes grey.

    Takes the luma of an opaque picture and the alpha of others; if all paint is black, the
    painted area becomes grey.  Raises GuideError.
    """
    try:
        raster = stills.decode(data, name, max_pixels)
    except SourceError as error:
        raise GuideError(f"{error}") from None
    alpha = raster.alpha
    if alpha is None or int(alpha.min()) == get_white(alpha):
        return raster.luma
    painted = raster.luma[alpha > get_white(alpha) // 2]
    if painted.size and int(painted.max()) <= get_white(raster.luma) * _BLACK:
        return ~alpha
    return alpha


def _read_samples(data: bytes, name: str, max_pixels: int) -> Plane:
    if stills.detect_format(data) != "png":
        raise GuideError(f"{name} is no PNG; save it as one")
    image = open_png(data, DecodeOptions(name, max_pixels))
    if not any(png_chunks.iterate_chunks(data, (b"IEND",))):
        raise GuideError(f"{name}: cut before its end; save it again")
    return vips.decode_pixels(image, name)


def draw_points(
    strokes: Strokes | None,
    points: tuple[HintPoint, ...],
    whole: tuple[int, int],
    size: tuple[int, int],
) -> Strokes | None:
    """Draw points of a photograph of `whole` height x width over the strokes.

    Raises GuideError for a point outside the picture.
    """
    if not points:
        return strokes
    height, width = size
    rgb = np.zeros((height, width, 3), np.float32) if strokes is None else strokes.rgb.copy()
    held = np.zeros(size, np.float32) if strokes is None else strokes.held.copy()
    down, across = height / whole[0], width / whole[1]
    for point in points:
        x, y = point.at
        if x >= whole[1] or y >= whole[0]:
            raise GuideError(
                f"the hint at [{x:g}, {y:g}] lies outside of the picture, "
                f"which has {whole[1]} x {whole[0]} pixels"
            )
        radius = point.radius or min(whole) / 100
        axes = max(round(radius * across), 1), max(round(radius * down), 1)
        center = int(x * across), int(y * down)
        dot = cv2.ellipse(np.zeros(size, np.uint8), center, axes, 0, 0, 360, 1, -1) > 0
        rgb[dot], held[dot] = point.rgb, 1.0
    return Strokes(rgb, held)
