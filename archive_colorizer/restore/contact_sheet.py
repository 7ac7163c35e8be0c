"""Finished frames for people to look at: a contact sheet, and two films in one picture."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import chroma_to_rgb
from archive_colorizer.video.film import Codes, ColorFrame, FilmFacts

Rgb: TypeAlias = npt.NDArray[np.uint8]

_TILE: Final = 240
"""Pixels that a frame of the sheet is high."""
_LABEL: Final = 24
_GAP: Final = 8
_COLUMNS: Final = 5
_GROUND: Final = 24
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
_SCALE: Final = 0.42
_PERIOD: Final = 6.0
"""Seconds in which a wipe goes there and back."""


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """An H x W x 3 picture and the words below it, in one line or several."""

    picture: Rgb
    words: str


def shown(frame: ColorFrame, codes: Codes, facts: FilmFacts) -> Rgb:
    """A 4:4:4 frame as it is seen: R'G'B' of 8 bits, upright, with square pixels."""
    luma = codes.unit_luma(frame.luma)[..., None]
    chroma = np.stack((codes.unit_chroma(frame.cb), codes.unit_chroma(frame.cr)), axis=2)
    rgb = luma + chroma @ chroma_to_rgb(*codes.weights).T
    return upright(np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8), facts)


def upright(stored: Rgb, facts: FilmFacts) -> Rgb:
    """A stored H x W x 3 picture, turned and stretched as the film says."""
    height, width = stored.shape[:2]
    wide = max(1, round(width * facts.pixel_aspect))
    square = stored if wide == width else cv2.resize(stored, (wide, height))
    return np.ascontiguousarray(np.rot90(square, -(facts.rotation // 90)), dtype=np.uint8)


def contact_sheet(tiles: Iterable[Tile]) -> tuple[int, bytes]:
    """How many tiles there are, and all of them in rows, as a PNG; one at full size in memory."""
    layout = Sheet()
    small = [layout.framed(one) for one in tiles]
    _, png = cv2.imencode(".png", layout.laid(small)[..., ::-1])
    return len(small), bytes(png.tobytes())


@dataclass(frozen=True, slots=True)
class Sheet:
    """How tiles are laid out: at most `columns` in a row, each `height` pixels high."""

    columns: int = _COLUMNS
    height: int = _TILE

    def of(self, tiles: Iterable[Tile]) -> Rgb:
        """All tiles in rows, each above its words; one tile at full size in memory."""
        return self.laid([self.framed(one) for one in tiles])

    def laid(self, small: Sequence[Rgb]) -> Rgb:
        """Framed tiles in rows."""
        width = max(one.shape[1] for one in small)
        high = max(one.shape[0] for one in small)
        columns = min(self.columns, len(small))
        rows = -(-len(small) // columns)
        step_y, step_x = high + _GAP, width + _GAP
        sheet = np.full((rows * step_y + _GAP, columns * step_x + _GAP, 3), _GROUND, np.uint8)
        for at, one in enumerate(small):
            top, left = _GAP + at // columns * step_y, _GAP + at % columns * step_x
            sheet[top : top + one.shape[0], left : left + one.shape[1]] = one
        return sheet

    def framed(self, tile: Tile) -> Rgb:
        """The picture at its size above its lines of words, as wide as the wider of both."""
        height, width = tile.picture.shape[:2]
        size = (max(1, round(width * self.height / height)), self.height)
        picture = cv2.resize(tile.picture, size, interpolation=cv2.INTER_AREA)
        lines = tile.words.split("\n")
        needed = max(cv2.getTextSize(one, _FONT, _SCALE, 1)[0][0] for one in lines) + 4
        below, right = _LABEL * len(lines), max(0, needed - size[0])
        ground = (_GROUND,) * 3
        framed = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_CONSTANT, value=ground)
        for at, one in enumerate(lines, 1):
            place = (2, self.height + _LABEL * at - 7)
            cv2.putText(framed, one, place, _FONT, _SCALE, (230, 230, 230), 1, cv2.LINE_AA)
        return np.asarray(framed, dtype=np.uint8)


def side_by_side(source: Rgb, result: Rgb, _seconds: float) -> Rgb:
    """The source at the left, its result at the right."""
    return np.concatenate((source, result), axis=1)


def wipe(source: Rgb, result: Rgb, seconds: float) -> Rgb:
    """The source left of a line that goes to and fro, its result right of it."""
    phase = abs((seconds / _PERIOD) % 1 * 2 - 1)
    edge = round((1 - phase) * source.shape[1])
    picture = np.concatenate((source[:, :edge], result[:, edge:]), axis=1)
    picture[:, max(edge - 1, 0) : edge + 1] = 255
    return picture


COMPARISONS: Final[dict[str, Callable[[Rgb, Rgb, float], Rgb]]] = {
    "side by side": side_by_side,
    "wipe": wipe,
}
"""How two frames of one size become one picture, at a time in seconds."""
