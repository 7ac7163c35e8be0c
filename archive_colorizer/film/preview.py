"""Looks ahead: what a run would do with films, and a contact sheet."""

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from archive_colorizer.errors import OutputError, UsageError
from archive_colorizer.executors.allocation import share_cores
from archive_colorizer.film.assembly import list_order, workplace_of
from archive_colorizer.film.colorize import restore_part
from archive_colorizer.film.plan import list_name
from archive_colorizer.film.request import FilmOrder, clock
from archive_colorizer.film.shots import find_shots, own_recipe, with_settings
from archive_colorizer.film.tasks import frames_in, open_again, place_for, shots_in
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.records.jobs import Part, Shot, Source, Workplace
from archive_colorizer.restore.contact_sheet import Tile, contact_sheet, shown
from archive_colorizer.restore.model_cache import painter_of
from archive_colorizer.run.plan import Settled
from archive_colorizer.video.film import Film, FilmFacts, Layout
from archive_colorizer.video.sequence.source import find_film

_SAMPLE: Final = 8
"""Frames that are restored to tell how fast it goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAhead:
    """What a run would restore, and how fast it would go.

    shots: first frame, frame after the last, and when each begins and ends, in seconds.
    rate: frames a second of all workers together, without encoding.
    """

    name: str
    said: str
    shots: tuple[tuple[int, int, Fraction, Fraction], ...]
    warnings: tuple[str, ...]
    rate: float
    workers: int

    @property
    def frames(self) -> int:
        return sum(last - first for first, last, _, _ in self.shots)

    @property
    def seconds(self) -> Fraction:
        """How long it would take."""
        return Fraction(self.frames / self.rate)

    def as_dict(self) -> dict[str, object]:
        """As plain values, for JSON."""
        return {
            "name": self.name,
            "film": self.said,
            "frames": self.frames,
            "frames_a_second": round(self.rate, 2),
            "seconds": round(float(self.seconds), 1),
            "warnings": self.warnings,
            "shots": [
                {"first": first, "last": last, "begins": float(begin), "ends": float(end)}
                for first, last, begin, end in self.shots
            ],
        }


def look_ahead(path: Path, order: FilmOrder) -> LookAhead:
    """What a run of the order would make of one film; writes nothing."""
    share = share_cores(order.recipe.workers)
    place = workplace_of(order, share.threads)
    source = find_film(path)
    with open_again(source, place) as film:
        facts = film.facts
        shots = _shots(source, film, order, place)
        middle = max(shots, key=lambda shot: shot.frames)
        rate = _rate(film, middle, place) * share.workers
    return LookAhead(
        name=source.name,
        said=_words(facts),
        shots=tuple((one.first, one.last, *_times(facts, one)) for one in shots),
        warnings=facts.warnings,
        rate=rate,
        workers=share.workers,
    )


def _shots(source: Source, film: Film, order: FilmOrder, place: Workplace) -> tuple[Shot, ...]:
    """Those of the list that a run would take, or those that it would find."""
    step, how = list_order(source, order, Manifest.peek(order.output), place)
    listed = order.output / list_name(source.name) if isinstance(step, Settled) else how.given
    frames = frames_in(film.facts, order.span)
    if listed is None:
        shots = find_shots(film, order.film.shortest, frames)
    else:
        shots = shots_in(listed.read_bytes(), listed.name, film.facts, frames)
    return with_settings(shots, order.own, film.facts)


def _rate(film: Film, shot: Shot, place: Workplace) -> float:
    """Frames a second that one worker restores, on a few frames of a shot."""
    smoothing = place.film.smoothing if place.film else 0.0
    layout = Layout(film.facts.codes, "4:4:4")
    first = (shot.first + shot.last) // 2
    sample = Shot(first, min(first + _SAMPLE, shot.last))
    painter = painter_of(place)

    def restore(last: int) -> int:
        part = Part(sample, sample.first, last)
        frames = restore_part(film, part, painter, place.recipe, smoothing, layout)
        return sum(1 for _ in frames)

    # The first frame waits for the network to be made ready.
    restore(sample.first + 1)
    begun = time.monotonic()
    return restore(sample.last) / max(time.monotonic() - begun, 1e-6)


def _words(facts: FilmFacts) -> str:
    rate = f"{float(facts.rate):.3f}".rstrip("0").rstrip(".")
    variable = " (variable)" if facts.variable else ""
    besides = f", {', '.join(facts.besides)}" if facts.besides else ""
    return (
        f"{facts.kind_of_file} {facts.codec}, {facts.width} x {facts.height}, "
        f"{facts.codes.depth} bit, {rate} frames a second{variable}, {facts.frames} frames, "
        f"{clock(facts.duration)}{besides}"
    )


def _times(facts: FilmFacts, shot: Shot) -> tuple[Fraction, Fraction]:
    end = facts.seconds(shot.last) if shot.last < facts.frames else facts.duration
    return facts.seconds(shot.first), end


def write_sheet(order: FilmOrder, sheet: Path) -> int:
    """Write a PNG with the middle frame of each shot, restored by itself; the count of shots.

    Raises UsageError when `sheet` is no .png, OutputError when it cannot be written.
    """
    if sheet.suffix.lower() != ".png":
        raise UsageError(f"{sheet} must end with .png")
    place = workplace_of(order, share_cores(1).threads)
    tiles = (tile for path in order.films for tile in _tiles(path, order, place))
    shots, sheet_png = contact_sheet(tiles)
    temporary = sheet.with_name(f".{secrets.token_hex(8)}.png")
    try:
        temporary.write_bytes(sheet_png)
        temporary.replace(sheet)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(f"cannot write {sheet}: {error.strerror}") from None
    return shots


def _tiles(path: Path, order: FilmOrder, place: Workplace) -> Iterator[Tile]:
    source = find_film(path)
    with open_again(source, place) as film:
        facts = film.facts
        layout = Layout(facts.codes, "4:4:4")
        for number, shot in enumerate(_shots(source, film, order, place), 1):
            at = (shot.first + shot.last) // 2
            painter = painter_of(place_for(shot, place))
            recipe = own_recipe(place.recipe, shot)
            part = Part(shot, at, at + 1)
            (frame,) = restore_part(film, part, painter, recipe, 0.0, layout)
            words = f"{number}  {clock(facts.seconds(at))}  frame {at}"
            yield Tile(shown(frame, layout.codes, facts), words)
