"""`archive-colorize models fetch`: download a model that the table of addresses has."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from archive_colorizer.cli import printable
from archive_colorizer.errors import UsageError

_EVERY: Final = 10.0
"""Seconds between two plain lines of progress."""


@click.command(epilog="Example: archive-colorize models fetch siggraph17")
@click.argument("name", required=False)
@click.option(
    "--table",
    type=click.Path(path_type=Path),
    help="Your own table.  [default: addresses.toml beside adopted models]",
)
def command(name: str | None, table: Path | None) -> None:
    """Download the model NAME of the table of addresses, check it, and adopt it.

    Without NAME, say what the table has. Nothing else ever fetches anything.
    """
    # Late, so that --help answers at once.
    from archive_colorizer.adoption.catalog import read_addresses

    addresses = read_addresses(table)
    if name is None:
        for one in addresses.values():
            click.echo(printable(f"{one.name:20} {one.licence:14} {one.address}"))
        return
    if name not in addresses:
        raise UsageError(f"the table has no model {name!r}; it has {', '.join(addresses)}")
    from archive_colorizer.adoption.download import fetch

    with _progress(name) as watch:
        place, was_there = fetch(addresses[name], watch)
    said = "is at hand already" if was_there else "is fetched and adopted"
    click.echo(printable(f"{name} {said}: {place}"))


@contextmanager
def _progress(name: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, plain lines elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(name)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TransferSpeedColumn(), console=console) as bar:
        task = bar.add_task(name, total=None)
        yield lambda there, total: bar.update(task, completed=there, total=total or None)


def _lines(name: str) -> Callable[[int, int], None]:
    said = time.monotonic()

    def watch(there: int, total: int) -> None:
        nonlocal said
        if there == total or time.monotonic() - said >= _EVERY:
            said = time.monotonic()
            of_all = f" of {total / 1e6:.1f}" if total else ""
            click.echo(f"{name}: {there / 1e6:.1f}{of_all} MB", err=True)

    return watch
