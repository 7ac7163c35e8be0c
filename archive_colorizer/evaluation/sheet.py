"""The contact sheet: grey, what each model made of it, and the truth, side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from archive_colorizer.evaluation.metrics import Picture

_SIDE = 192
_GAP = 4
_HEAD = 26
_MOST = 60
_BLOCKS = 3
_INK, _PAPER = (0, 0, 0), (255, 255, 255)

Columns = Mapping[str, Sequence[Picture]]


def every(count: int, most: int = _MOST) -> int:
    """The n of "every n-th" that leaves at most `most` of `count` photographs."""
    return max(1, -(-count // most))


def write_sheet(path: Path, columns: Columns, most: int = _MOST) -> int:
    """Write a PNG with a labelled column for each entry of `columns`; return the n below.

    The photographs are every n-th in the order given, so that nobody chose them, at most
    `most`.  Pictures are H x W x 3 uint8 sRGB, fitted into squares with their proportions
    kept; rows are laid out in up to three blocks.
    """
    count = len(next(iter(columns.values())))
    step = every(count, most)
    numbers = range(0, count, step)
    blocks = min(_BLOCKS, len(numbers))
    tall = -(-len(numbers) // blocks)
    wide = len(columns) * (_SIDE + _GAP) + 2 * _GAP
    sheet = Image.new("RGB", (blocks * wide, 2 * _HEAD + tall * (_SIDE + _GAP)), _PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    which = "all" if step == 1 else f"every {step}{_ending(step)}"
    pen.text((_GAP, _GAP), f"{which} of {count} photographs", _INK, font)
    for block in range(blocks):
        for place, label in enumerate(columns):
            left = block * wide + _GAP + place * (_SIDE + _GAP)
            pen.text((left, _HEAD + _GAP), _fitting(label, font), _INK, font)
            for row, number in enumerate(numbers[block * tall : (block + 1) * tall]):
                top = 2 * _HEAD + row * (_SIDE + _GAP)
                _paste(sheet, columns[label][number], left, top)
    sheet.save(path)
    return step


def _paste(sheet: Image.Image, picture: Picture, left: int, top: int) -> None:
    small = Image.fromarray(picture)
    small.thumbnail((_SIDE, _SIDE))
    sheet.paste(small, (left + (_SIDE - small.width) // 2, top + (_SIDE - small.height) // 2))


def _fitting(label: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The label, or as much of its end as a column has room for."""
    shown = label
    while font.getlength(shown) > _SIDE and len(shown) > 2:
        shown = "…" + shown[2:]
    return shown


def _ending(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
