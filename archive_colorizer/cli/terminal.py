"""Print text that came from files safely, and count on a terminal."""

import sys
from collections.abc import Callable

import click

from archive_colorizer.records.text import escape_unprintable


def make_printable(text: str) -> str:
    """Escape the control characters in text from file names and files, except newlines."""
    return "\n".join(map(escape_unprintable, text.split("\n")))


def print_line(text: str, *, err: bool = False) -> None:
    """Print text to stdout or stderr, with its control characters escaped."""
    click.echo(make_printable(text), err=err)


def make_counter(quiet: bool, prefix: str = "") -> Callable[[int, int], None]:
    """Make a callback that shows on a terminal how many files of how many are done."""
    is_shown = not quiet and sys.stderr.isatty()

    def show_count(done: int, total: int) -> None:
        if is_shown and (done % 16 == 0 or done == total):
            click.echo(f"\r{prefix}{done:,} of {total:,}", nl=done == total, err=True)

    return show_count
