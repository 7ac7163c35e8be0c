"""What a person sees of a film's restoration."""

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archive_colorizer.cli import printable
from archive_colorizer.cli.progress import Measure, progress
from archive_colorizer.errors import ExitCode
from archive_colorizer.film.assembly import frames_of
from archive_colorizer.film.pipeline import restore_films
from archive_colorizer.film.plan import SHOTS
from archive_colorizer.film.request import clock
from archive_colorizer.records.outcomes import Outcome, State

if TYPE_CHECKING:
    from archive_colorizer.film.request import FilmOrder
    from archive_colorizer.run.summary import Summary


def restore(order: "FilmOrder", as_json: bool, quiet: bool) -> "Summary":
    """Restore the films, with progress and a summary."""
    seen: dict[str, tuple[Outcome, bool]] = {}
    frames = Measure("frames", frames_of)
    with progress(quiet or as_json, 0, frames) as audience:

        def watch(outcome: Outcome, settled: bool) -> None:
            seen[outcome.name] = (outcome, settled)
            audience.watch(outcome, settled)

        summary = restore_films(order, watch, audience.tell, audience.expect, audience.look)
    if as_json:
        click.echo(json.dumps(_as_json(order, summary, seen)))
    elif not quiet:
        _show(order, summary, seen)
    return summary


def show_shots(order: "FilmOrder", as_json: bool) -> int:
    """The shots of the films with their frames and times, and how long it would take."""
    from archive_colorizer.film.preview import look_ahead

    found = [look_ahead(path, order) for path in order.films]
    if as_json:
        click.echo(json.dumps({"dry_run": True, "films": [one.as_dict() for one in found]}))
        return ExitCode.OK
    for one in found:
        click.echo(printable(f"{one.name}: {one.said}"))
        for number, (first, last, begin, end) in enumerate(one.shots, 1):
            times = f"{clock(begin)} to {clock(end)}"
            click.echo(f"  shot {number:4}  frames {first} to {last - 1}  {times}")
        for warning in one.warnings:
            click.echo(printable(f"  {warning}"))
        click.echo(
            f"  {one.frames} frames, about {one.rate:.1f} a second with {one.workers} workers: "
            f"{clock(one.seconds)[:-4]} for this film"
        )
    return ExitCode.OK


def show_preview(order: "FilmOrder", sheet: Path, quiet: bool) -> int:
    """A contact sheet with one restored frame of each shot."""
    from archive_colorizer.film.preview import write_sheet

    shots = write_sheet(order, sheet)
    if not quiet:
        click.echo(printable(f"{shots} shots: {sheet}"))
    return ExitCode.OK


def _show(order: "FilmOrder", summary: "Summary", seen: dict[str, tuple[Outcome, bool]]) -> None:
    for path in order.films:
        parts = list(_parts(path.name, seen))
        for outcome, settled in parts:
            click.echo(printable(f"  {_line(outcome, settled)}"))
        film = seen.get(path.name)
        if film is not None:
            outcome, settled = film
            place = order.output / (outcome.target or "")
            word = "unchanged" if settled else str(outcome.state)
            said = outcome.message or f"{outcome.frames} frames, {place}"
            click.echo(printable(f"{word} {path.name}: {said}"))
            for warning in outcome.warnings:
                click.echo(printable(f"  {warning}"))
    for one in summary.first_failures:
        click.echo(printable(f"{one.reason}: {one.message or one.name}"))
    manifest = order.output / "manifest.jsonl"
    click.echo(printable(f"{summary.seconds:.1f} s; manifest: {manifest}"))


def _parts(name: str, seen: dict[str, tuple[Outcome, bool]]) -> Iterable[tuple[Outcome, bool]]:
    """Those of one film, in the order of their frames."""
    beginning = f"{name}#"
    parts = [one for one in seen if one.startswith(beginning) and not one.endswith(f"#{SHOTS}")]
    bounds = {one: tuple(map(int, one.rpartition("#")[2].split("-"))) for one in parts}
    for known in sorted(parts, key=bounds.__getitem__):
        first, last = bounds[known]
        # A damaged part whose sound pieces were restored is told of by its pieces.
        pieces = any(one != known and first <= a < b <= last for one, (a, b) in bounds.items())
        if not pieces:
            yield seen[known]


def _line(outcome: Outcome, settled: bool) -> str:
    name = outcome.name.rpartition("#")[2]
    if outcome.state is not State.DONE:
        return f"{outcome.state} frames {name} ({outcome.reason})"
    rate = (outcome.frames or 0) / outcome.seconds if outcome.seconds else 0.0
    word = "unchanged" if settled else "done"
    return f"{word} frames {name}, {outcome.seconds:.1f} s, {rate:.1f} frames a second"


def _as_json(
    order: "FilmOrder", summary: "Summary", seen: dict[str, tuple[Outcome, bool]]
) -> dict[str, object]:
    kept = ("name", "state", "reason", "message", "target", "frames", "seconds", "warnings")
    outcomes = [
        {**{key: getattr(outcome, key) for key in kept}, "unchanged": settled}
        for outcome, settled in seen.values()
    ]
    return {
        **dataclasses.asdict(summary),
        "outcomes": outcomes,
        "output": str(order.output),
        "manifest": str(order.output / "manifest.jsonl"),
    }
