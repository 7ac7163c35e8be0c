"""Draw the optional visible mark: a few translucent words in the lower right corner."""

from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import FloatArray, Plane, get_white
from archive_colorizer.image.luma_difference import Box

MARK_SETTING: Final = "mark"
"""The recipe's setting; its values are none and corner."""
_TEXT: Final = "colorized by algorithm"
MIN_SIDE: Final = 200
"""Pixels of the shorter side; the words are illegible in a smaller picture."""
TOO_SMALL_NOTE: Final = "too small for the visible mark, which was left out"

_TEXT_SHARE: Final = 32
"""The shorter side divided by the text's height."""
_OPACITY: Final = 0.6


def locate_mark(height: int, width: int) -> Box | None:
    """Locate the area that the mark may change; None in a picture too small for it."""
    if min(height, width) < MIN_SIDE:
        return None
    words = _render_text(height, width)
    margin = _compute_margin(height, width)
    bottom, right = height - margin, width - margin
    return bottom - words.shape[0], right - words.shape[1], bottom, right


def draw_mark(luma: Plane) -> Plane:
    """Draw the mark on luma (H x W, 8 or 16 bit); return a small picture's plane itself.

    White words with a dark edge, both at 60 %, are legible on any background, and color that
    is blended later shows through.  Nothing outside the box of `locate_mark` changes.
    """
    height, width = luma.shape
    box = locate_mark(height, width)
    if box is None:
        return luma
    top, left, bottom, right = box
    words = _render_text(height, width)
    marked: npt.NDArray[Any] = luma.copy()
    corner = marked[top:bottom, left:right].astype(np.float32)
    corner += (words[..., 1] * get_white(luma) - corner) * words[..., 0] * np.float32(_OPACITY)
    marked[top:bottom, left:right] = np.rint(corner)
    return marked


def _compute_margin(height: int, width: int) -> int:
    return max(4, min(height, width) // 50)


@lru_cache(maxsize=8)
def _render_text(height: int, width: int) -> FloatArray:
    """Render the mark, h x w x 2: its coverage and its lightness, both 0 to 1.

    It is never wider than the picture without its margins.
    """
    from PIL import Image, ImageDraw, ImageFont

    room = width - 2 * _compute_margin(height, width)
    size = max(10, min(height, width) // _TEXT_SHARE)
    while True:
        font = ImageFont.load_default(size)
        edge = max(1, size // 12)
        left, top, right, bottom = font.getbbox(_TEXT, stroke_width=edge)
        shape = (int(np.ceil(right - left)), int(np.ceil(bottom - top)))
        if shape[0] <= room or size <= 6:
            break
        size -= 1
    outlined, plain = Image.new("L", shape), Image.new("L", shape)
    origin = (-left, -top)
    ImageDraw.Draw(outlined).text(origin, _TEXT, 255, font, stroke_width=edge)
    ImageDraw.Draw(plain).text(origin, _TEXT, 255, font)
    planes = [np.asarray(image, dtype=np.float32) / np.float32(255) for image in (outlined, plain)]
    words: FloatArray = np.stack(planes, axis=2)[:, :room]
    words.setflags(write=False)
    return words
