"""Manifest: the append-only account of every file, and the compact index of it.

`<output>/manifest.jsonl` holds one JSON record a line.  In memory there is only where the
newest record of each name begins; the record itself is read when it is asked for, so that
an archive of a million scans costs a few hundred bytes a file.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from archive_colorizer.errors import OutputError
from archive_colorizer.location import Place
from archive_colorizer.manifest.location import manifest_of
from archive_colorizer.manifest.target_names import short_of
from archive_colorizer.records.json_lines import LONGEST_LINE, Record, lines_of, outcome_of, to_line
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.records.paths import MANIFEST

_PAGE = 4096
_OPENING = b'{"kind": '


class Manifest:
    """The newest outcome by name, and the places that results have.

    `ignored` counts the lines that are no records; nothing is ever done because of one.
    """

    def __init__(
        self, path: Path, descriptor: int | None, check: Callable[[], None] | None = None
    ) -> None:
        self.path = path
        self.ignored = 0
        self._check = check
        self._descriptor = descriptor
        self._size = 0
        # Offset of the newest outcome, doubled, plus one when that outcome is DONE.
        self._newest: dict[str, int] = {}
        # Offset of the newest DONE outcome of names that have failed or were skipped since.
        self._made: dict[str, int] = {}
        self._targets: set[int] = set()
        # The record that was read last: planning asks twice for the same one.
        self._last: tuple[int, Outcome] | None = None

    @classmethod
    def open(cls, output: Path, check: Callable[[], None] | None = None) -> Self:
        """Open for recording; a torn last line is healed.  The output must be held.

        `check` is asked before anything is recorded, and raises OutputError to refuse it.
        Raises OutputError when the manifest cannot be read or written.
        """
        path = output / MANIFEST
        try:
            manifest = cls(path, _open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT), check)
            manifest._load()
            manifest._heal()
        except OSError as error:
            raise _output_error(path, error) from error
        return manifest

    @classmethod
    def peek(cls, output: Place) -> Self:
        """Open for reading only, and change nothing; empty where there is none."""
        try:
            with manifest_of(output) as folder:
                path = folder / MANIFEST
                manifest = cls(path, _open(path, os.O_RDONLY))
            manifest._load()
        except (FileNotFoundError, NotADirectoryError):
            return cls(Path(MANIFEST), None)
        except OSError as error:
            raise _output_error(output / MANIFEST, error) from error
        return manifest

    def __len__(self) -> int:
        return len(self._newest)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @property
    def warning(self) -> str | None:
        """One sentence about the lines that were ignored, if any were."""
        if not self.ignored:
            return None
        return f"{self.path}: {self.ignored} line(s) are no records and were ignored"

    def newest(self, name: str) -> Outcome | None:
        """What became of the source `name` when it was last looked at."""
        place = self._newest.get(name)
        return None if place is None else self._read(place >> 1, name)

    def newest_done(self, name: str) -> Outcome | None:
        """The last outcome that made a result, even if the source has failed since."""
        place = self._newest.get(name)
        if place is not None and place & 1:
            return self._read(place >> 1, name)
        offset = self._made.get(name)
        return None if offset is None else self._read(offset, name)

    def has_target(self, target: str) -> bool:
        """Whether a result of some source has this place, or one that differs in case only."""
        return short_of(target) in self._targets

    def names(self, beginning: str) -> list[str]:
        """The names that begin so, in the order of their first recording."""
        return [name for name in self._newest if name.startswith(beginning)]

    def append(self, records: Sequence[Record]) -> None:
        """Add records and bring them to the disk.

        Raises OutputError, and takes back what was written, when that fails.
        """
        lines = [to_line(record) for record in records]
        if not lines or self._descriptor is None:
            return
        if self._check is not None:
            self._check()
        try:
            _write(self._descriptor, b"".join(lines))
            os.fsync(self._descriptor)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            raise _output_error(self.path, error) from error
        for record, line in zip(records, lines, strict=True):
            if isinstance(record, Outcome):
                self._index(record, self._size)
            self._size += len(line)

    def _load(self) -> None:
        assert self._descriptor is not None  # noqa: S101
        with open(self._descriptor, "rb", closefd=False) as stream:
            for offset, line in lines_of(stream):
                if not line.endswith(b"\n"):
                    break
                try:
                    outcome = outcome_of(line)
                except ValueError:
                    self.ignored += 1
                    continue
                if outcome is not None:
                    self._index(outcome, offset)
        self._size = os.fstat(self._descriptor).st_size

    def _index(self, outcome: Outcome, offset: int) -> None:
        before = self._newest.get(outcome.name)
        done = outcome.state is State.DONE
        if done:
            self._made.pop(outcome.name, None)
        elif before is not None and before & 1:
            self._made[outcome.name] = before >> 1
        self._newest[outcome.name] = offset << 1 | done
        if done and outcome.target is not None:
            self._targets.add(short_of(outcome.target))

    def _read(self, offset: int, name: str) -> Outcome | None:
        if self._descriptor is None:
            return None
        if self._last is not None and self._last[0] == offset:
            return self._last[1]
        line = b""
        while not line.endswith(b"\n") and len(line) < LONGEST_LINE:
            page = os.pread(self._descriptor, _PAGE, offset + len(line))
            if not page:
                return None
            line += page[: page.find(b"\n") + 1 or None]
        with contextlib.suppress(ValueError):
            outcome = outcome_of(line)
            # Whoever rewrites the file under a run gets "not settled", never a wrong record.
            if outcome is not None and outcome.name == name:
                self._last = offset, outcome
                return outcome
        return None

    def _heal(self) -> None:
        """Finish a whole last line that lacks its newline; cut off a torn one of ours."""
        assert self._descriptor is not None  # noqa: S101
        tail = self._tail()
        if not tail:
            return
        start = self._size - len(tail)
        try:
            outcome = outcome_of(tail)
        except ValueError:
            if tail.startswith(_OPENING[: len(tail)]):
                os.ftruncate(self._descriptor, start)
                self._size = start
                return
            outcome = None
            self.ignored += 1
        _write(self._descriptor, b"\n")
        self._size += 1
        if outcome is not None:
            self._index(outcome, start)

    def _tail(self) -> bytes:
        """What follows the last newline, at most one over-long line's end."""
        assert self._descriptor is not None  # noqa: S101
        length = min(self._size, LONGEST_LINE)
        end = os.pread(self._descriptor, length, self._size - length)
        return end[end.rfind(b"\n") + 1 :]


def _open(path: Path, flags: int) -> int:
    """Open a regular file and nothing else: a link could lead to somebody's original."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file")
    return descriptor


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _output_error(path: Place, error: OSError) -> OutputError:
    return OutputError(
        f"cannot record in {path}: {error.strerror or error}; mend that and run again"
    )
