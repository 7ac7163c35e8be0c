"""Draw contact sheets, and two frames in one picture for comparison."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import build_rgb_matrix
from archive_colorizer.video.film import Codes, ColorFrame, FilmFacts

Rgb: TypeAlias = npt.NDArray[np.uint8]

_TILE: Final = 240
"""Height of a tile in pixels."""
_LABEL: Final = 24
_GAP: Final = 8
_COLUMNS: Final = 5
_GROUND: Final = 24
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
_SCALE: Final = 0.42
_PERIOD: Final = 6.0
"""Seconds a wipe takes to move across and back."""


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """An H x W x 3 picture and its caption of one or several lines."""

    picture: Rgb
    caption: str


def convert_to_rgb(frame: ColorFrame, codes: Codes, facts: FilmFacts) -> Rgb:
    """Convert a 4:4:4 frame to 8-bit R'G'B', upright and with square pixels."""
    luma = codes.normalize_luma(frame.luma)[..., None]
    chroma = np.stack((codes.normalize_chroma(frame.cb), codes.normalize_chroma(frame.cr)), axis=2)
    rgb = luma + chroma @ build_rgb_matrix(*codes.weights).T
    return rotate_upright(np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8), facts)


def rotate_upright(stored: Rgb, facts: FilmFacts) -> Rgb:
    """Turn and stretch a stored H x W x 3 picture as the film's metadata say."""
    height, width = stored.shape[:2]
    wide = max(1, round(width * facts.pixel_aspect))
    square = stored if wide == width else cv2.resize(stored, (wide, height))
    return np.ascontiguousarray(np.rot90(square, -(facts.rotation // 90)), dtype=np.uint8)


def draw_contact_sheet(
    tiles: Iterable[Tile], columns: int = _COLUMNS, height: int = _TILE
) -> tuple[int, Rgb]:
    """Draw tiles in rows, each `height` pixels high above its caption; returns count and sheet.

    Only one tile at a time is in memory at full size.
    """
    drawn = [_draw_tile(tile, height) for tile in tiles]
    columns = min(columns, len(drawn))
    rows = -(-len(drawn) // columns)
    step_y = max(tile.shape[0] for tile in drawn) + _GAP
    step_x = max(tile.shape[1] for tile in drawn) + _GAP
    sheet = np.full((rows * step_y + _GAP, columns * step_x + _GAP, 3), _GROUND, np.uint8)
    for index, picture in enumerate(drawn):
        top, left = _GAP + index // columns * step_y, _GAP + index % columns * step_x
        sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return len(drawn), sheet


def _draw_tile(tile: Tile, height: int) -> Rgb:
    full_height, full_width = tile.picture.shape[:2]
    size = (max(1, round(full_width * height / full_height)), height)
    picture = cv2.resize(tile.picture, size, interpolation=cv2.INTER_AREA)
    lines = tile.caption.split("\n")
    needed = max(cv2.getTextSize(line, _FONT, _SCALE, 1)[0][0] for line in lines) + 4
    below, right = _LABEL * len(lines), max(0, needed - size[0])
    ground = (_GROUND,) * 3
    framed = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_CONSTANT, value=ground)
    for number, text in enumerate(lines, 1):
        origin = (2, height + _LABEL * number - 7)
        cv2.putText(framed, text, origin, _FONT, _SCALE, (230, 230, 230), 1, cv2.LINE_AA)
    return np.asarray(framed, dtype=np.uint8)


def _place_side_by_side(source: Rgb, result: Rgb, _seconds: float) -> Rgb:
    """Place the source on the left, its result on the right."""
    return np.concatenate((source, result), axis=1)


def _draw_wipe(source: Rgb, result: Rgb, seconds: float) -> Rgb:
    """Draw the source left of a line that moves back and forth, its result right of it."""
    phase = abs((seconds / _PERIOD) % 1 * 2 - 1)
    edge = round((1 - phase) * source.shape[1])
    picture = np.concatenate((source[:, :edge], result[:, edge:]), axis=1)
    picture[:, max(edge - 1, 0) : edge + 1] = 255
    return picture


COMPARISONS: Final[dict[str, Callable[[Rgb, Rgb, float], Rgb]]] = {
    "side by side": _place_side_by_side,
    "wipe": _draw_wipe,
}
"""Functions that draw two frames of one size as one picture, at a time in seconds."""
