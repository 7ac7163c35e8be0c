"""Write a contact sheet: grey, the result of each model, and the original, side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from archive_colorizer.evaluation.metrics import Picture

_SIDE = 192
_GAP = 4
_HEAD = 26
_MAX_PHOTOS = 60
_BLOCKS = 3
_INK, _PAPER = (0, 0, 0), (255, 255, 255)

Columns = Mapping[str, Sequence[Picture]]


def write_sheet(path: Path, columns: Columns, max_photos: int = _MAX_PHOTOS) -> int:
    """Write a PNG with a labelled column for each entry of `columns`; return n.

    The photographs are every n-th in order, at most `max_photos`, so that none is hand-picked.
    Pictures are H x W x 3 uint8 sRGB, fitted into squares; rows are laid out in up to three blocks.
    """
    count = len(next(iter(columns.values())))
    step = max(1, -(-count // max_photos))
    numbers = range(0, count, step)
    blocks = min(_BLOCKS, len(numbers))
    tall = -(-len(numbers) // blocks)
    wide = len(columns) * (_SIDE + _GAP) + 2 * _GAP
    sheet = Image.new("RGB", (blocks * wide, 2 * _HEAD + tall * (_SIDE + _GAP)), _PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    selection = "all" if step == 1 else f"every {step}{_get_ordinal_suffix(step)}"
    pen.text((_GAP, _GAP), f"{selection} of {count} photographs", _INK, font)
    for block in range(blocks):
        for column, label in enumerate(columns):
            left = block * wide + _GAP + column * (_SIDE + _GAP)
            pen.text((left, _HEAD + _GAP), _truncate_label(label, font), _INK, font)
            for row, number in enumerate(numbers[block * tall : (block + 1) * tall]):
                top = 2 * _HEAD + row * (_SIDE + _GAP)
                _place_picture(sheet, columns[label][number], left, top)
    sheet.save(path)
    return step


def _place_picture(sheet: Image.Image, picture: Picture, x: int, y: int) -> None:
    small = Image.fromarray(picture)
    small.thumbnail((_SIDE, _SIDE))
    sheet.paste(small, (x + (_SIDE - small.width) // 2, y + (_SIDE - small.height) // 2))


def _truncate_label(label: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    shown = label
    while font.getlength(shown) > _SIDE and len(shown) > 2:
        shown = "…" + shown[2:]
    return shown


def _get_ordinal_suffix(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
