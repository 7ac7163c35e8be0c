"""Read a manifest line by line, and index it by name."""

import contextlib
import errno
import io
import os
import stat
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias

from archive_colorizer.errors import SourceError
from archive_colorizer.location import Location
from archive_colorizer.records.json_lines import (
    MAX_LINE_BYTES,
    Record,
    iter_lines,
    parse_outcome,
    parse_record,
)
from archive_colorizer.records.outcomes import Outcome, Provenance, State
from archive_colorizer.records.paths import MANIFEST
from archive_colorizer.storage.reading import get_storage

_PAGE = 4096

Roots: TypeAlias = tuple[tuple[str, ...], ...]
"""The roots of each run, the newest first."""


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """One outcome and the run that made it; no run where none is certain."""

    outcome: Outcome
    run: Provenance | None

    @property
    def recipe(self) -> dict[str, object]:
        """The settings of the run, overridden by those of this photograph."""
        overrides = self.outcome.own.settings if self.outcome.own else {}
        return {**(self.run.recipe if self.run else {}), **overrides}

    @property
    def page(self) -> int | None:
        """The page of a file with several that was restored, from 0; None for the first."""
        page = self.recipe.get("page")
        return page - 1 if isinstance(page, int) and page > 0 else None


class ManifestReader:
    """The outcomes of a manifest as it was when it was opened; no lock is needed.

    Only a name and an offset per file are in memory, a few hundred bytes; outcomes are read again
    on demand.  `ignored` counts invalid lines.  `runs` are those that recorded something, the
    oldest first.
    """

    def __init__(self, path: Location, descriptor: int | None) -> None:
        self.path = path
        self.ignored = 0
        self.runs: list[Provenance] = []
        self._descriptor = descriptor
        self._size = 0
        if descriptor is not None:
            self._finalizer = weakref.finalize(self, os.close, descriptor)
        # Offset of the newest outcome, doubled, plus one when that outcome is DONE.
        self._newest: dict[str, int] = {}
        # Offset of the newest DONE outcome of names that have failed or were skipped since.
        self._done: dict[str, int] = {}
        # Names whose newest DONE outcome has no target: parts of a film that is joined.
        self._without_target: set[str] = set()
        # The record that was read last: planning reads the same one twice.
        self._last: tuple[int, Outcome] | None = None

    @classmethod
    def open(cls, output: Location) -> Self:
        """Open the manifest of an output; raises SourceError when it is missing or unreadable."""
        path = output / MANIFEST
        try:
            return cls._load(path)
        except (FileNotFoundError, NotADirectoryError):
            raise SourceError(
                f"{path} does not exist; give the output of a run, which holds one"
            ) from None
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {error.strerror or error}") from error

    @classmethod
    def _load(cls, path: Location) -> Self:
        with get_storage(path).copy_locally() as local_path:
            reader = cls(path, cls._open_file(local_path, os.O_RDONLY))
        reader._index_all()
        return reader

    @staticmethod
    def _open_file(path: Path, flags: int) -> int:
        """Open a regular file only, because a link could lead to an original; raises OSError."""
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "not a regular file")
        return descriptor

    def close(self) -> None:
        if self._descriptor is not None:
            self._finalizer()
            self._descriptor = None

    def __len__(self) -> int:
        return len(self._newest)

    @property
    def result_count(self) -> int:
        """The number of files that have a result."""
        done = sum(offset & 1 for offset in self._newest.values()) + len(self._done)
        return done - len(self._without_target)

    def list_roots(self, moved: Sequence[Location] = ()) -> Roots:
        """List the roots of the runs, each set once; `moved`: where all are now instead."""
        if moved:
            return (tuple(str(root) for root in moved),)
        return tuple(dict.fromkeys(run.roots for run in reversed(self.runs)))

    def find_newest(self, name: str) -> Outcome | None:
        """Find the outcome of the latest look at the source `name`."""
        offset = self._newest.get(name)
        return None if offset is None else self._read(offset >> 1, name)

    def find_newest_done(self, name: str) -> Outcome | None:
        """Find the last outcome that made a result, even if the source has failed since."""
        offset = self._find_done(name)
        return None if offset is None else self._read(offset, name)

    def list_names(self, beginning: str) -> list[str]:
        """List the names with this beginning, in the order of their first recording."""
        return [name for name in self._newest if name.startswith(beginning)]

    def iterate_newest(self) -> Iterator[ManifestEntry]:
        """Yield the newest outcome of each file, in the order of recording."""
        return self._iterate(lambda name: self._newest.get(name, -1) >> 1)

    def iterate_done(self) -> Iterator[ManifestEntry]:
        """Yield the last outcome of each file that made a result, even if it has failed since."""
        return self._iterate(
            lambda name: None if name in self._without_target else self._find_done(name)
        )

    def _iterate(self, find_offset: Callable[[str], int | None]) -> Iterator[ManifestEntry]:
        run: Provenance | None = None
        for offset, record in self._iterate_records():
            if isinstance(record, Provenance):
                run = record
            elif record is not None and find_offset(record.name) == offset:
                yield ManifestEntry(record, self._find_run(record, run))

    def _iterate_records(self) -> Iterator[tuple[int, Record | None]]:
        """Yield the offset of each complete line and its record, None where it is invalid."""
        with io.BufferedReader(_PositionedFile(self._descriptor)) as stream:
            for offset, line in iter_lines(stream):
                record: Record | None = None
                if not line.endswith(b"\n"):
                    return
                with contextlib.suppress(ValueError):
                    record = parse_record(line)
                yield offset, record

    def _find_run(self, outcome: Outcome, nearest: Provenance | None) -> Provenance | None:
        """Find the run with the model and the settings of the outcome.

        The results of a killed run are recorded by the next one, before its own provenance.  An
        outcome without a model fits the nearest run.
        """
        model, settings = outcome.model_sha256, outcome.own.run if outcome.own else outcome.settings
        for run in filter(None, (nearest, *reversed(self.runs))):
            if model in (None, run.model_sha256) and settings in (None, run.settings):
                return run
        return None

    def _find_done(self, name: str) -> int | None:
        offset = self._newest.get(name, 0)
        return offset >> 1 if offset & 1 else self._done.get(name)

    def _index_all(self) -> None:
        for offset, record in self._iterate_records():
            if record is None:
                self.ignored += 1
            else:
                self._index(record, offset)
        assert self._descriptor is not None  # noqa: S101
        self._size = os.fstat(self._descriptor).st_size

    def _index(self, record: Record, offset: int) -> None:
        if isinstance(record, Provenance):
            self.runs.append(record)
            return
        name, is_done = record.name, record.state is State.DONE
        previous = self._newest.get(name, 0)
        if is_done:
            self._done.pop(name, None)
            self._without_target.discard(name)
            if record.target is None:
                self._without_target.add(name)
        elif previous & 1:
            self._done[name] = previous >> 1
        self._newest[name] = offset << 1 | is_done

    def _read(self, offset: int, name: str) -> Outcome | None:
        if self._descriptor is None:
            return None
        if self._last is not None and self._last[0] == offset:
            return self._last[1]
        line = b""
        while not line.endswith(b"\n") and len(line) < MAX_LINE_BYTES:
            page = os.pread(self._descriptor, _PAGE, offset + len(line))
            if not page:
                return None
            line += page[: page.find(b"\n") + 1 or None]
        with contextlib.suppress(ValueError):
            outcome = parse_outcome(line)
            # A file that is rewritten during a run must never yield a wrong record.
            if outcome is not None and outcome.name == name:
                self._last = offset, outcome
                return outcome
        return None


class _PositionedFile(io.RawIOBase):
    """A descriptor that is read from the beginning, by several readers at once."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        self._position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._descriptor is None:
            return 0
        count = os.preadv(self._descriptor, [buffer], self._position)
        self._position += count
        return count
