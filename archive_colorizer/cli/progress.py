"""Show the progress of a run, and its summary at the end."""

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

from archive_colorizer.cli.terminal import make_printable, print_line
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.run.summary import Summary

_INTERVAL: Final = 10.0
"""Seconds between two plain lines of progress."""


@dataclass(frozen=True, slots=True)
class ProgressUnit:
    """The unit that progress is counted in, and how many of it an outcome adds."""

    name: str
    count: Callable[[Outcome], int]


FILES: Final = ProgressUnit("", lambda _: 1)


class ProgressView:
    """Show the progress of a run; this one shows nothing."""

    def show_outcome(self, outcome: Outcome, is_unchanged: bool) -> None: ...

    def show_message(self, message: str) -> None: ...

    def set_total(self, total: int) -> None:
        """Set a total that is known late."""

    def show_search(self, name: str, frames: int, searched: int) -> None:
        """Show how many frames of a film have been searched for cuts."""


@contextmanager
def show_progress(quiet: bool, total: int, unit: ProgressUnit = FILES) -> Iterator[ProgressView]:
    """Show a bar on a terminal, plain lines elsewhere, and nothing when quiet.

    total: 0 where it is unknown.
    """
    if quiet:
        yield ProgressView()
        return
    if not sys.stderr.isatty():
        yield _PlainView(total, unit)
        return
    columns = (
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(f"{unit.name} {{task.fields[rate]:.1f}}/s".strip()),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failed]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield _BarView(bar, total, unit)


class _CountingView(ProgressView):
    """Count outcomes, and measure rates since the first call for a name; "" is the run."""

    def __init__(self, total: int, unit: ProgressUnit) -> None:
        self._total = total
        self._unit = unit
        self._done = self._new = self._failed = 0
        self._start_times = {"": time.monotonic()}

    def show_outcome(self, outcome: Outcome, is_unchanged: bool) -> None:
        amount = self._unit.count(outcome)
        self._done += amount
        self._new += 0 if is_unchanged else amount
        if outcome.state is State.FAILED:
            self._failed += 1
            if not is_unchanged:
                self.show_message(f"failed ({outcome.reason}): {outcome.message or outcome.name}")
        self._show_counts(amount)

    def _show_counts(self, amount: int) -> None:
        raise NotImplementedError

    def _get_rate(self, count: int, name: str = "") -> float:
        now = time.monotonic()
        return count / max(now - self._start_times.setdefault(name, now), 1e-3)


class _BarView(_CountingView):
    def __init__(self, bar: Progress, total: int, unit: ProgressUnit) -> None:
        super().__init__(total, unit)
        self._bar = bar
        self._tasks: dict[str, TaskID] = {}
        self._add_task("", "restoring", total or None)

    def _add_task(self, name: str, description: str, total: int | None) -> None:
        self._tasks[name] = self._bar.add_task(description, total=total, rate=0.0, failed="")

    def show_message(self, message: str) -> None:
        self._bar.console.print(make_printable(message), markup=False, highlight=False)

    def set_total(self, total: int) -> None:
        self._bar.update(self._tasks[""], total=total)

    def show_search(self, name: str, frames: int, searched: int) -> None:
        if name not in self._tasks:
            self._add_task(name, f"cuts of {escape(make_printable(name))}", frames)
        rate, is_going_on = self._get_rate(searched, name), searched < frames
        self._bar.update(self._tasks[name], completed=searched, rate=rate, visible=is_going_on)

    def _show_counts(self, amount: int) -> None:
        failed = f"{self._failed} failed" if self._failed else ""
        rate = self._get_rate(self._new)
        self._bar.update(self._tasks[""], advance=amount, rate=rate, failed=failed)


class _PlainView(_CountingView):
    """Print failures at once, and every few seconds how far the run is."""

    def __init__(self, total: int, unit: ProgressUnit) -> None:
        super().__init__(total, unit)
        self._last_messages = dict(self._start_times)

    def show_message(self, message: str) -> None:
        print_line(message, err=True)

    def set_total(self, total: int) -> None:
        self._total = total
        self._start_times[""] = time.monotonic()

    def show_search(self, name: str, frames: int, searched: int) -> None:
        rate = self._get_rate(max(searched, 1), name)
        if self._is_due(name):
            left = f"{rate:.1f}/s, about {(frames - searched) / rate:.0f} s left"
            self.show_message(f"cuts of {name}: {searched} of {frames} frames, {left}")

    def _show_counts(self, amount: int) -> None:
        if not (self._done and self._is_due("")):
            return
        rate = self._get_rate(max(self._new, 1))
        unit = f" {self._unit.name}" if self._unit.name else ""
        progress, remaining = f"{self._done}{unit}", ""
        if self._total:
            progress = f"{self._done} of {self._total}{unit}"
            remaining = f", about {max(self._total - self._done, 0) / rate:.0f} s left"
        self.show_message(f"{progress}, {rate:.1f}/s, {self._failed} failed{remaining}")

    def _is_due(self, name: str) -> bool:
        now = time.monotonic()
        if now - self._last_messages.setdefault(name, now) < _INTERVAL:
            return False
        self._last_messages[name] = now
        return True


def report_end(summary: Summary) -> int:
    """Explain a run that ended early, and return the exit code."""
    if summary.interrupted:
        click.echo("interrupted; the same command goes on where this run ended", err=True)
    elif summary.out_of_time:
        click.echo("the time is used up; the same command goes on where this run ended", err=True)
    return summary.exit_code


def show_summary(summary: Summary, manifest: str) -> None:
    """Print the summary of a run on stdout."""
    console = Console(soft_wrap=True)
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    unchanged = sum(summary.unchanged.values())
    rows = (
        ("restored", summary.done),
        ("found finished", summary.adopted),
        ("skipped", summary.skipped),
        ("failed", summary.failed),
        ("unchanged since an earlier run", unchanged),
    )
    for word, count in rows:
        if count or word in ("restored", "failed"):
            table.add_row(word, f"{count:,}")
    for reason, count in summary.failures.items():
        table.add_row(f"  of the failures: {reason}", f"{count:,}")
    console.print(table)
    for failure in summary.first_failures:
        print_line(f"  {failure.reason}: {failure.message or failure.name}")
    stopped = summary.interrupted or summary.out_of_time
    if not (stopped or summary.done or summary.adopted or summary.skipped or summary.failed):
        console.print("nothing to do: everything is as an earlier run left it")
    if summary.done and summary.seconds:
        console.print(f"{summary.seconds:.1f} s, {summary.done / summary.seconds:.2f} a second")
    print_line(f"manifest: {manifest}")
