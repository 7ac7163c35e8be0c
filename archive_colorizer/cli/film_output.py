"""Show the restoration of films: progress, parts and a summary."""

import dataclasses
import json
import re
from collections.abc import Iterator
from operator import itemgetter
from typing import TYPE_CHECKING, Final, TypeAlias

import click

from archive_colorizer.cli.progress import ProgressUnit, show_progress
from archive_colorizer.cli.terminal import print_line
from archive_colorizer.film.pipeline import restore_films
from archive_colorizer.film.plan import SHOTS
from archive_colorizer.records.outcomes import Outcome, State

if TYPE_CHECKING:
    from archive_colorizer.film.request import FilmRequest
    from archive_colorizer.run.summary import Summary

_PART: Final = re.compile(r".*#\d+-\d+", re.DOTALL)

_Outcomes: TypeAlias = dict[str, tuple[Outcome, bool]]
"""The outcome of each film and part by its name, and whether it is unchanged."""


def restore_with_progress(request: "FilmRequest", as_json: bool, quiet: bool) -> "Summary":
    """Restore the films and show progress and a summary."""
    outcomes: _Outcomes = {}
    unit = ProgressUnit("frames", _count_frames)
    with show_progress(quiet or as_json, 0, unit) as view:

        def record_outcome(outcome: Outcome, is_unchanged: bool) -> None:
            outcomes[outcome.name] = (outcome, is_unchanged)
            view.show_outcome(outcome, is_unchanged)

        summary = restore_films(
            request, record_outcome, view.show_message, view.set_total, view.show_search
        )
    if as_json:
        click.echo(json.dumps(_build_json(request, summary, outcomes)))
    elif not quiet:
        _show_films(request, summary, outcomes)
    return summary


def _count_frames(outcome: Outcome) -> int:
    """Count the frames that an outcome adds to a run's progress: only parts count."""
    return (outcome.frames or 0) if _PART.fullmatch(outcome.name) else 0


def _show_films(request: "FilmRequest", summary: "Summary", outcomes: _Outcomes) -> None:
    for path in request.roots:
        for outcome, is_unchanged in _iter_parts(path.name, outcomes):
            print_line(f"  {_format_part(outcome, is_unchanged)}")
        if path.name in outcomes:
            outcome, is_unchanged = outcomes[path.name]
            target = request.output / (outcome.target or "")
            word = "unchanged" if is_unchanged else str(outcome.state)
            text = outcome.message or f"{outcome.frames} frames, {target}"
            print_line(f"{word} {path.name}: {text}")
            for warning in outcome.warnings:
                print_line(f"  {warning}")
    for failure in summary.first_failures:
        print_line(f"{failure.reason}: {failure.message or failure.name}")
    print_line(f"{summary.seconds:.1f} s; manifest: {request.output / 'manifest.jsonl'}")


def _iter_parts(name: str, outcomes: _Outcomes) -> Iterator[tuple[Outcome, bool]]:
    """Yield the parts of one film in the order of their frames."""
    bounds = {
        part: tuple(map(int, part.rpartition("#")[2].split("-")))
        for part in outcomes
        if part.startswith(f"{name}#") and not part.endswith(f"#{SHOTS}")
    }
    for part, (first, last) in sorted(bounds.items(), key=itemgetter(1)):
        # A damaged part whose sound pieces were restored is shown by its pieces.
        if not any(p != part and first <= a < b <= last for p, (a, b) in bounds.items()):
            yield outcomes[part]


def _format_part(outcome: Outcome, is_unchanged: bool) -> str:
    name = outcome.name.rpartition("#")[2]
    if outcome.state is not State.DONE:
        return f"{outcome.state} frames {name} ({outcome.reason})"
    rate = (outcome.frames or 0) / outcome.seconds if outcome.seconds else 0.0
    word = "unchanged" if is_unchanged else "done"
    return f"{word} frames {name}, {outcome.seconds:.1f} s, {rate:.1f} frames a second"


def _build_json(
    request: "FilmRequest", summary: "Summary", outcomes: _Outcomes
) -> dict[str, object]:
    keys = ("name", "state", "reason", "message", "target", "frames", "seconds", "warnings")
    return {
        **dataclasses.asdict(summary),
        "outcomes": [
            {**{key: getattr(outcome, key) for key in keys}, "unchanged": is_unchanged}
            for outcome, is_unchanged in outcomes.values()
        ],
        "output": str(request.output),
        "manifest": str(request.output / "manifest.jsonl"),
    }
