"""`archive-colorize models fetch`: download a model from the table of addresses."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from archive_colorizer.cli.options import LOCAL_PATH, make_option
from archive_colorizer.cli.terminal import print_line
from archive_colorizer.errors import UsageError

_INTERVAL: Final = 10.0
"""Seconds between two plain lines of progress."""


@click.command(epilog="Example: archive-colorize models fetch siggraph17")
@click.argument("name", required=False)
@make_option(
    "--table",
    "Use your own table.",
    "addresses.toml next to adopted models",
    type=LOCAL_PATH,
)
def command(name: str | None, table: Path | None) -> None:
    """Download the model NAME of the table of addresses, check it, and adopt it.

    Without NAME, list the table. No other command downloads anything.
    """
    from archive_colorizer.adoption.catalog import load_catalog

    addresses = load_catalog(table)
    if name is None:
        for address in addresses.values():
            print_line(f"{address.name:20} {address.licence:14} {address.address}")
        return
    if name not in addresses:
        raise UsageError(f"the table has no model {name!r}; it has {', '.join(addresses)}")
    from archive_colorizer.adoption.download import fetch

    with _show_progress(name) as watch:
        path, is_present = fetch(addresses[name], watch)
    status = "is adopted already" if is_present else "is fetched and adopted"
    print_line(f"{name} {status}: {path}")


@contextmanager
def _show_progress(name: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on a terminal, plain lines elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _print_progress(name)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TransferSpeedColumn(), console=console) as bar:
        task = bar.add_task(name, total=None)
        yield lambda received, total: bar.update(task, completed=received, total=total or None)


def _print_progress(name: str) -> Callable[[int, int], None]:
    last_message = time.monotonic()

    def show(received: int, total: int) -> None:
        nonlocal last_message
        if received == total or time.monotonic() - last_message >= _INTERVAL:
            last_message = time.monotonic()
            of_all = f" of {total / 1e6:.1f}" if total else ""
            click.echo(f"{name}: {received / 1e6:.1f}{of_all} MB", err=True)

    return show
