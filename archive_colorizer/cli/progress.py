"""What a person sees: progress while it runs, a summary at the end."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from archive_colorizer.cli import printable
from archive_colorizer.pipeline.run_session import Tell, tell_nobody
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.run.driver import Watch, watch_nothing
from archive_colorizer.run.summary import Summary

_EVERY: Final = 10.0
"""Seconds between two plain lines of progress."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Who looks at a run.

    `watch` sees outcomes, `tell` hears sentences about the run, `expect` how much is to be done
    where that is known late only, and `look` how far the search for a film's cuts is: its name,
    its frames, and how many of them were looked at.
    """

    watch: Watch
    tell: Tell
    expect: Callable[[int], None]
    look: Callable[[str, int, int], None] = lambda _name, _frames, _seen: None


@dataclass(frozen=True, slots=True)
class Measure:
    """How far an outcome brings a run, and the word for what is counted."""

    word: str
    of: Callable[[Outcome], int]


FILES: Final = Measure("", lambda _: 1)


@contextmanager
def progress(quiet: bool, expected: int, measure: Measure = FILES) -> Iterator[Audience]:
    """A bar on a terminal, plain lines elsewhere, nothing when quiet.

    expected: 0 where that is not known.
    """
    if quiet:
        yield Audience(watch_nothing, tell_nobody, lambda _: None)
    elif sys.stderr.isatty():
        yield from _bar(expected, measure)
    else:
        lines = _Lines(expected, measure)
        yield Audience(lines, _tell, lines.expect, _Search())


def _bar(expected: int, measure: Measure) -> Iterator[Audience]:
    columns = (
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(f"{measure.word} {{task.fields[rate]:.1f}}/s".strip()),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failed]}"),
    )
    begun, fresh, failures = time.monotonic(), 0, 0
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("restoring", total=expected or None, rate=0.0, failed="")

        def tell(said: str) -> None:
            bar.console.print(printable(said), markup=False, highlight=False)

        def watch(outcome: Outcome, settled: bool) -> None:
            nonlocal fresh, failures
            fresh += 0 if settled else measure.of(outcome)
            if outcome.state is State.FAILED:
                failures += 1
                if not settled:
                    tell(_failure(outcome))
            rate = fresh / max(time.monotonic() - begun, 1e-3)
            failed = f"{failures} failed" if failures else ""
            bar.update(task, advance=measure.of(outcome), rate=rate, failed=failed)

        searches: dict[str, TaskID] = {}
        started: dict[str, float] = {}

        def look(name: str, frames: int, seen: int) -> None:
            if name not in searches:
                words = f"cuts of {escape(printable(name))}"
                searches[name] = bar.add_task(words, total=frames, rate=0.0, failed="")
                started[name] = time.monotonic()
            rate = seen / max(time.monotonic() - started[name], 1e-3)
            bar.update(searches[name], completed=seen, rate=rate, visible=seen < frames)

        yield Audience(watch, tell, lambda total: bar.update(task, total=total), look)


class _Search:
    """Every few seconds how far the search for a film's cuts is."""

    def __init__(self) -> None:
        self._name = ""
        self._begun = self._said = 0.0

    def __call__(self, name: str, frames: int, seen: int) -> None:
        now = time.monotonic()
        if name != self._name:
            self._name, self._begun, self._said = name, now, now
        if now - self._said >= _EVERY:
            self._said = now
            rate = seen / (now - self._begun)
            left = (frames - seen) / rate
            _tell(
                f"cuts of {name}: {seen} of {frames} frames, {rate:.1f}/s, about {left:.0f} s left"
            )


class _Lines:
    """Failures as they come, and every few seconds how far the run is."""

    def __init__(self, expected: int, measure: Measure) -> None:
        self._expected = expected
        self._measure = measure
        self._seen = 0
        self._fresh = 0
        self._failed = 0
        self._begun = self._said = time.monotonic()

    def expect(self, expected: int) -> None:
        """How much is to be done, from now on."""
        self._expected = expected
        self._begun = time.monotonic()

    def __call__(self, outcome: Outcome, settled: bool) -> None:
        self._seen += self._measure.of(outcome)
        self._fresh += 0 if settled else self._measure.of(outcome)
        if outcome.state is State.FAILED:
            self._failed += 1
            if not settled:
                click.echo(_failure(outcome), err=True)
        now = time.monotonic()
        if self._seen and now - self._said >= _EVERY:
            self._said = now
            rate = max(self._fresh, 1) / max(now - self._begun, 1e-3)
            word = f" {self._measure.word}" if self._measure.word else ""
            far, left = f"{self._seen}{word}", ""
            if self._expected:
                far = f"{self._seen} of {self._expected}{word}"
                left = f", about {max(self._expected - self._seen, 0) / rate:.0f} s left"
            click.echo(f"{far}, {rate:.1f}/s, {self._failed} failed{left}", err=True)


def _tell(said: str) -> None:
    click.echo(printable(said), err=True)


def _failure(outcome: Outcome) -> str:
    return f"failed ({outcome.reason}): {printable(outcome.message or outcome.name)}"


def exit_code_of(summary: Summary) -> int:
    """What a run's command ends with; says it when the run ended before its work."""
    if summary.interrupted:
        click.echo("interrupted; the same command goes on where this run ended", err=True)
    elif summary.out_of_time:
        click.echo("the time is used up; the same command goes on where this run ended", err=True)
    return summary.exit_code


def show_summary(summary: Summary, manifest: str) -> None:
    """The end of a run, on stdout."""
    console = Console(soft_wrap=True)
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    earlier = sum(summary.unchanged.values())
    rows = (
        ("restored", summary.done),
        ("found finished", summary.adopted),
        ("skipped", summary.skipped),
        ("failed", summary.failed),
        ("unchanged since an earlier run", earlier),
    )
    for word, count in rows:
        if count or word in ("restored", "failed"):
            table.add_row(word, f"{count:,}")
    for reason, count in summary.failures.items():
        table.add_row(f"  of the failures: {reason}", f"{count:,}")
    console.print(table)
    for one in summary.first_failures:
        line = f"  {one.reason}: {printable(one.message or one.name)}"
        console.print(line, markup=False, highlight=False)
    stopped = summary.interrupted or summary.out_of_time
    if not (stopped or summary.done or summary.adopted or summary.skipped or summary.failed):
        console.print("nothing to do: everything is as an earlier run left it")
    if summary.done and summary.seconds:
        console.print(f"{summary.seconds:.1f} s, {summary.done / summary.seconds:.2f} a second")
    console.print(f"manifest: {printable(manifest)}", markup=False, highlight=False)
