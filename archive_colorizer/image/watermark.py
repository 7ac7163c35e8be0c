"""The visible mark: a few translucent words in the lower right corner, for those who ask for it."""

from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import FloatArray, Plane, white_of
from archive_colorizer.image.luma_difference import Box

MARK_SETTING: Final = "mark"
"""The name of the recipe's setting: none or corner."""
TEXT: Final = "colorized by algorithm"
SMALLEST: Final = 200
"""Pixels of the shorter side; in a smaller picture the words could not be read."""
TOO_SMALL: Final = "too small for the visible mark, which was left out"

_SHARE: Final = 32
"""The text's height is this part of the shorter side."""
_OPACITY: Final = 0.6


def mark_box(height: int, width: int) -> Box | None:
    """What the mark may change in a picture of this size; None where it is left out."""
    if min(height, width) < SMALLEST:
        return None
    words = _words(height, width)
    margin = _margin(height, width)
    bottom, right = height - margin, width - margin
    return bottom - words.shape[0], right - words.shape[1], bottom, right


def with_mark(luma: Plane) -> Plane:
    """Luma (H x W, 8 or 16 bit) with the mark; the same plane where the picture is too small.

    White words with a dark edge, both at 60 %, so that they can be read on any ground.  Color
    that is blended onto it shines through.  Outside `mark_box` nothing changes.
    """
    height, width = luma.shape
    box = mark_box(height, width)
    if box is None:
        return luma
    top, left, bottom, right = box
    words = _words(height, width)
    marked: npt.NDArray[Any] = luma.copy()
    corner = marked[top:bottom, left:right].astype(np.float32)
    corner += (words[..., 1] * white_of(luma) - corner) * words[..., 0] * np.float32(_OPACITY)
    marked[top:bottom, left:right] = np.rint(corner)
    return marked


def _margin(height: int, width: int) -> int:
    return max(4, min(height, width) // 50)


@lru_cache(maxsize=8)
def _words(height: int, width: int) -> FloatArray:
    """The mark as h x w x 2: how much of it there is, and how light it is, both 0 to 1.

    Never wider than the picture without its margins.
    """
    from PIL import Image, ImageDraw, ImageFont

    room = width - 2 * _margin(height, width)
    size = max(10, min(height, width) // _SHARE)
    while True:
        font = ImageFont.load_default(size)
        edge = max(1, size // 12)
        left, top, right, bottom = font.getbbox(TEXT, stroke_width=edge)
        shape = (int(np.ceil(right - left)), int(np.ceil(bottom - top)))
        if shape[0] <= room or size <= 6:
            break
        size -= 1
    whole, inner = Image.new("L", shape), Image.new("L", shape)
    place = (-left, -top)
    ImageDraw.Draw(whole).text(place, TEXT, 255, font, stroke_width=edge)
    ImageDraw.Draw(inner).text(place, TEXT, 255, font)
    planes = [np.asarray(one, dtype=np.float32) / np.float32(255) for one in (whole, inner)]
    words: FloatArray = np.stack(planes, axis=2)[:, :room]
    words.setflags(write=False)
    return words
