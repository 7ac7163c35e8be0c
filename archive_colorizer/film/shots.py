"""Find the shots of a film, read and write their cut list, and split them into parts."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

from archive_colorizer.errors import UsageError
from archive_colorizer.film.scene_cuts import Cut, find_cuts
from archive_colorizer.recipe.fields import reject_unknown
from archive_colorizer.recipe.film_shots import SHOT_KEYS, ShotSettings
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Shot, ShotPart
from archive_colorizer.video.film import Film, FilmFacts

COLUMNS: Final = ("shot", "first", "last", *SHOT_KEYS)

_FORMULA: Final = frozenset("=+-@\t\r\n'")
_DIGITS: Final = 12


def find_shots(
    film: Film,
    shortest: int,
    span: range | None = None,
    progress: Callable[[int], None] = lambda _frames: None,
) -> tuple[Shot, ...]:
    """Find the shots in the frames `span`, by default all, each of at least `shortest` frames.

    progress: called with the number of frames searched.  Raises what `find_cuts` raises.
    """
    frames = range(film.facts.frames) if span is None else span
    cuts = find_cuts(film, frames.start, frames.stop, progress)
    bounds = [frames.start, *join_short(cuts, frames, shortest), frames.stop]
    return tuple(Shot(first, last) for first, last in pairwise(bounds))


def join_short(cuts: Sequence[Cut], frames: range, shortest: int) -> list[int]:
    """Join shots shorter than `shortest`, the shortest first, to the more similar neighbor.

    Returns the frames of the remaining cuts.
    """
    remaining = list(cuts)
    while remaining:
        bounds = [frames.start, *(cut.frame for cut in remaining), frames.stop]
        lengths = [after - before for before, after in pairwise(bounds)]
        short = min(range(len(lengths)), key=lengths.__getitem__)
        if lengths[short] >= shortest:
            break
        # The shot lies between cuts short - 1 and short; the film's ends are not cuts.
        sides = [at for at in (short - 1, short) if 0 <= at < len(remaining)]
        del remaining[min(sides, key=lambda at: remaining[at].change)]
    return [cut.frame for cut in remaining]


def split_shot(shot: Shot, longest: int) -> tuple[ShotPart, ...]:
    """Split a shot into parts of nearly equal length, of at most `longest` frames."""
    count = -(-shot.frames // longest)
    bounds = [shot.first + shot.frames * at // count for at in range(count + 1)]
    return tuple(ShotPart(shot, first, last) for first, last in pairwise(bounds))


def apply_shot_settings(
    shots: Sequence[Shot], settings: Sequence[ShotSettings], facts: FilmFacts
) -> tuple[Shot, ...]:
    """Apply a recipe's settings for single shots; those of the cut list override them.

    Raises UsageError for a frame beyond the film's end.
    """
    changed = list(shots)
    for setting in settings:
        if setting.frame >= facts.frames:
            raise UsageError(
                f"{facts.name}: the recipe has settings for the shot with frame {setting.frame}, "
                f"but its last frame is {facts.frames - 1}"
            )
        for at, shot in enumerate(changed):
            if shot.first <= setting.frame < shot.last:
                changed[at] = replace(shot, **(setting.chosen | _list_settings(shots[at])))  # type: ignore[arg-type]
    return tuple(changed)


def split_at_damage(film: Film, part: ShotPart) -> tuple[ShotPart, ...]:
    """Split a part into pieces of which either all frames can be decoded or none."""
    bounds, was = [], None
    for at, frame in enumerate(film.rescue_frames(part.first, part.last), part.first):
        if (frame is None) is not was:
            bounds.append(at)
            was = frame is None
    return tuple(ShotPart(part.shot, first, last) for first, last in pairwise([*bounds, part.last]))


def build_shot_recipe(recipe: Recipe, shot: Shot) -> Recipe:
    """Apply a shot's own settings to the recipe."""
    return recipe.apply(_list_settings(shot), f"shot {shot.first}-{shot.last}")


def _list_settings(shot: Shot) -> dict[str, str | float]:
    every = {name: getattr(shot, name) for name in SHOT_KEYS}
    return {name: value for name, value in every.items() if value is not None}


def format_cut_list(shots: Sequence[Shot]) -> bytes:
    """Format a cut list as CSV (UTF-8, CRLF) with the frames `first` to before `last` of a shot."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for number, shot in enumerate(shots, 1):
        settings = (_format_cell(getattr(shot, name)) for name in SHOT_KEYS)
        writer.writerow((number, shot.first, shot.last, *settings))
    return text.getvalue().encode("utf-8")


def parse_cut_list(data: bytes, name: str, frames: range) -> tuple[Shot, ...]:
    """Parse a cut list, whose shots must follow one another from the start of `frames`.

    Columns may be in any order, and all but `first` and `last` missing or empty.  Raises
    UsageError, which names the list and the line.
    """
    shots: list[Shot] = []
    line = 1
    for line, row in _read_rows(data, name):
        where = f"{name}, line {line}"
        shot = _parse_shot(row, where)
        expected = shots[-1].last if shots else frames.start
        if shot.first != expected:
            raise UsageError(
                f"{where}: the shot begins with frame {shot.first}, not with {expected}, "
                "where the one before ends; let each shot begin where the last one ends"
            )
        if not shot.first < shot.last <= frames.stop:
            raise UsageError(
                f"{where}: the shot ends before frame {shot.last}, which must be after "
                f"{shot.first} and at most {frames.stop}, the end of the film"
            )
        shots.append(shot)
    if not shots or shots[-1].last != frames.stop:
        raise UsageError(
            f"{name}, line {line}: the list ends before the film does; "
            f"let the last shot end with {frames.stop}"
        )
    return tuple(shots)


def _read_rows(data: bytes, name: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number and the cells by column of each line that is not empty."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{name} is no UTF-8 text; save it as CSV in UTF-8") from None
    # Spreadsheets of many countries write semicolons.
    heading = text.partition("\n")[0]
    divider = ";" if ";" in heading else ","
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=divider, strict=True)
    try:
        columns = [cell.strip().lower() for cell in next(lines, [])]
        _check_columns(columns, f"{name}, line 1")
        for cells in lines:
            if any(cell.strip() for cell in cells):
                if len(cells) > len(columns):
                    raise UsageError(f"{name}, line {lines.line_num}: more cells than columns")
                row = dict(zip(columns, (cell.strip() for cell in cells), strict=False))
                yield lines.line_num, row
    except csv.Error as error:
        raise UsageError(f"{name}, line {lines.line_num}: {error}; save it as CSV") from None


def _check_columns(columns: Sequence[str], where: str) -> None:
    reject_unknown(dict.fromkeys(columns), COLUMNS, where)
    for needed in ("first", "last"):
        if columns.count(needed) != 1:
            raise UsageError(f"{where}: a cut list needs one column named {needed}")


def _parse_shot(row: Mapping[str, str], where: str) -> Shot:
    first, last = (_parse_frame(row.get(column, ""), column, where) for column in ("first", "last"))
    cells = {key: row[key] for key in SHOT_KEYS if row.get(key)}
    settings: dict[str, Any] = {
        key: cell.removeprefix("'") if key == "model" else _parse_number(cell, where)
        for key, cell in cells.items()
    }
    Recipe().apply(settings, where)
    return Shot(first, last, **settings)


def _parse_frame(cell: str, column: str, where: str) -> int:
    # isdecimal alone accepts the digits of all scripts, as int does.
    if not (cell.isascii() and cell.isdecimal() and len(cell) <= _DIGITS):
        raise UsageError(f"{where}: {column} must be the number of a frame, not {cell[:20]!r}")
    return int(cell)


def _parse_number(cell: str, where: str) -> float:
    try:
        return float(cell)
    except ValueError:
        raise UsageError(f"{where}: {cell!r} is no number; write 0.5 for a half") from None


def _format_cell(value: str | float | None) -> str | float:
    """Quote a cell that a spreadsheet would take for a formula."""
    if isinstance(value, str) and value[:1] in _FORMULA:
        return f"'{value}"
    return "" if value is None else value
