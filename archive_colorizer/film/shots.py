"""Shots: the pieces of a film between its cuts, their list for people, their parts for jobs."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

from archive_colorizer.errors import UsageError
from archive_colorizer.film.scene_cuts import Cut, find_cuts, see_nothing
from archive_colorizer.recipe.fields import reject_unknown
from archive_colorizer.recipe.film_shots import OWN, ShotSettings
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Part, Shot
from archive_colorizer.video.film import Film, FilmFacts

COLUMNS: Final = ("shot", "first", "last", *OWN)

_FORMULA: Final = frozenset("=+-@\t\r\n'")
_DIGITS: Final = 12


def find_shots(
    film: Film, shortest: int, span: range | None = None, seen: Callable[[int], None] = see_nothing
) -> tuple[Shot, ...]:
    """The shots of a film, or of the frames `span` of it, each of at least `shortest` frames.

    seen: is told after each frame how many were looked at.  Raises what `find_cuts` raises.
    """
    frames = range(film.facts.frames) if span is None else span
    cuts = find_cuts(film, frames.start, frames.stop, seen)
    bounds = [frames.start, *join_short(cuts, frames, shortest), frames.stop]
    return tuple(Shot(first, last) for first, last in pairwise(bounds))


def join_short(cuts: Sequence[Cut], frames: range, shortest: int) -> list[int]:
    """The frames of the cuts that remain when no shot may be shorter than `shortest`.

    A shot that is too short joins the neighbor from which it differs less; the shortest first.
    """
    kept = list(cuts)
    while kept:
        bounds = [frames.start, *(cut.frame for cut in kept), frames.stop]
        lengths = [after - before for before, after in pairwise(bounds)]
        short = min(range(len(lengths)), key=lengths.__getitem__)
        if lengths[short] >= shortest:
            break
        # The shot between cuts short - 1 and short; the film's ends are no cuts.
        sides = [at for at in (short - 1, short) if 0 <= at < len(kept)]
        del kept[min(sides, key=lambda at: kept[at].change)]
    return [cut.frame for cut in kept]


def parts_of(shot: Shot, longest: int) -> tuple[Part, ...]:
    """A shot in parts of nearly equal length, none of more than `longest` frames."""
    count = -(-shot.frames // longest)
    bounds = [shot.first + shot.frames * at // count for at in range(count + 1)]
    return tuple(Part(shot, first, last) for first, last in pairwise(bounds))


def with_settings(
    shots: Sequence[Shot], given: Sequence[ShotSettings], facts: FilmFacts
) -> tuple[Shot, ...]:
    """The shots with a recipe's settings for single ones; their own in a cut list count more.

    Raises UsageError for a frame that the film has not.
    """
    found = list(shots)
    for one in given:
        if one.frame >= facts.frames:
            raise UsageError(
                f"{facts.name}: the recipe has settings for the shot with frame {one.frame}, "
                f"but its last frame is {facts.frames - 1}"
            )
        for at, shot in enumerate(found):
            if shot.first <= one.frame < shot.last:
                found[at] = replace(shot, **(one.chosen | _own(shots[at])))  # type: ignore[arg-type]
    return tuple(found)


def around_damage(film: Film, part: Part) -> tuple[Part, ...]:
    """A part cut where frames that cannot be decoded begin and end; each piece is all or none."""
    bounds, was = [], None
    for at, frame in enumerate(film.salvage(part.first, part.last), part.first):
        if (frame is None) is not was:
            bounds.append(at)
            was = frame is None
    return tuple(Part(part.shot, first, last) for first, last in pairwise([*bounds, part.last]))


def own_recipe(recipe: Recipe, shot: Shot) -> Recipe:
    """The recipe with the settings that the shot has for itself."""
    return recipe.changed(_own(shot), f"shot {shot.first}-{shot.last}")


def _own(shot: Shot) -> dict[str, str | float]:
    """The settings that a shot has for itself."""
    every = {name: getattr(shot, name) for name in OWN}
    return {name: value for name, value in every.items() if value is not None}


def list_of(shots: Sequence[Shot]) -> bytes:
    """A cut list as CSV (UTF-8, CRLF): a line a shot, frames from `first` to before `last`."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for number, shot in enumerate(shots, 1):
        own = (_cell(getattr(shot, name)) for name in OWN)
        writer.writerow((number, shot.first, shot.last, *own))
    return text.getvalue().encode("utf-8")


def read_list(data: bytes, name: str, frames: range) -> tuple[Shot, ...]:
    """The shots of a cut list, which must follow one another from the start of `frames`.

    Empty cells are no setting.  Columns may be in any order; only `first` and `last` must be
    there.  Raises UsageError that names the list and the line of what is wrong.
    """
    shots: list[Shot] = []
    line = 1
    for line, row in _rows(data, name):
        where = f"{name}, line {line}"
        shot = _shot(row, where)
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


def _rows(data: bytes, name: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and cells by column of each line that is not empty."""
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


def _shot(row: Mapping[str, str], where: str) -> Shot:
    first, last = (_whole(row.get(column, ""), column, where) for column in ("first", "last"))
    own: dict[str, Any] = {}
    for setting in OWN:
        cell = row.get(setting, "")
        if cell:
            own[setting] = cell.removeprefix("'") if setting == "model" else _number(cell, where)
    Recipe().changed(own, where)
    return Shot(first, last, **own)


def _whole(cell: str, column: str, where: str) -> int:
    # isdecimal alone takes the digits of all scripts, and int would, too.
    if not (cell.isascii() and cell.isdecimal() and len(cell) <= _DIGITS):
        raise UsageError(f"{where}: {column} must be the number of a frame, not {cell[:20]!r}")
    return int(cell)


def _number(cell: str, where: str) -> float:
    try:
        return float(cell)
    except ValueError:
        raise UsageError(f"{where}: {cell!r} is no number; write 0.5 for a half") from None


def _cell(value: str | float | None) -> str | float:
    """A cell that no spreadsheet takes for a formula."""
    if isinstance(value, str) and value[:1] in _FORMULA:
        return f"'{value}"
    return "" if value is None else value
