"""Print text that came from files safely, on streams that may fail, and count on a terminal."""

import io
import os
import select
import sys
from collections.abc import Callable
from typing import Any, Final, TextIO

import click

from archive_colorizer.records.text import escape_unprintable

_STANDARD_DESCRIPTORS: Final = (0, 1, 2)


class _LossyFile(io.RawIOBase):
    """Write to a descriptor, and note what is lost instead of raising an OSError.

    A disk that is full, a reader that is gone or a terminal that was closed must not stop the
    work that is being reported on.
    """

    def __init__(self, descriptor: int, is_open: bool) -> None:
        self._descriptor = descriptor
        self._is_open = is_open
        self.has_lost_words = False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return self._is_open and os.isatty(self._descriptor)

    def write(self, data: Any) -> int:
        try:
            if self._is_open:
                return self._write_patiently(data)
        except OSError:
            pass
        self.has_lost_words = True
        return len(data)

    def _write_patiently(self, data: Any) -> int:
        while True:
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:
                select.select([], [self._descriptor], [])


def guard_streams() -> Callable[[], bool]:
    """Let stdout and stderr take every text, also where it is lost or cannot be encoded.

    Returns a function that flushes both and tells whether stdout has lost something.
    """
    for descriptor in _STANDARD_DESCRIPTORS:
        try:
            os.fstat(descriptor)
        except OSError:
            # Otherwise the next file that is opened becomes stdout or stderr.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    stdout, sys.stdout = _guard_stream(sys.stdout, 1)
    _, sys.stderr = _guard_stream(sys.stderr, 2)

    def has_lost_words() -> bool:
        sys.stdout.flush()
        sys.stderr.flush()
        return stdout.has_lost_words

    return has_lost_words


def _guard_stream(stream: TextIO | None, descriptor: int) -> tuple[_LossyFile, io.TextIOWrapper]:
    """Return the guarded file, and the text stream on it that replaces `stream`.

    stream: None where the descriptor was closed when the program began.
    """
    if stream is not None:
        descriptor = stream.fileno()
    file = _LossyFile(descriptor, is_open=stream is not None)
    guarded = io.TextIOWrapper(
        io.BufferedWriter(file),
        encoding=stream.encoding if stream else "utf-8",
        errors="backslashreplace",
        line_buffering=getattr(stream, "line_buffering", False),
        write_through=getattr(stream, "write_through", False),
    )
    return file, guarded


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
