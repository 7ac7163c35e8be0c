"""The append-only account of every file: `<output>/manifest.jsonl`, one JSON record a line."""

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from typing import Self

from archive_colorizer.location import Location, require_path
from archive_colorizer.manifest.reader import ManifestReader
from archive_colorizer.records.json_lines import MAX_LINE_BYTES, Record, parse_outcome, to_line
from archive_colorizer.records.outcomes import Outcome, Provenance, State
from archive_colorizer.records.paths import MANIFEST, hash_target
from archive_colorizer.storage.atomic import describe_write_error, sync_folder, write_all

_OPENING = b'{"kind": '
_MAX_PENDING = 64
_MAX_SECONDS = 0.5


class Manifest(ManifestReader):
    """A manifest that a run records in, with the targets of all results."""

    def __init__(self, path: Location, descriptor: int | None) -> None:
        super().__init__(path, descriptor)
        self._check: Callable[[], None] | None = None
        self._targets: set[int] = set()

    @classmethod
    def open(cls, output: Location, check: Callable[[], None] | None = None) -> Self:
        """Open for recording, and repair a torn last line.  The run must own the output.

        check: called before anything is recorded; raises OutputError to refuse it.
        Raises OutputError when the manifest cannot be read or written.
        """
        path = require_path(output) / MANIFEST
        try:
            manifest = cls(path, cls._open_file(path, os.O_RDWR | os.O_APPEND | os.O_CREAT))
            manifest._check = check
            manifest._index_all()
            manifest._repair_tail()
            if not manifest._size:
                manifest._sync_name()
        except OSError as error:
            raise describe_write_error(path, error, "record in") from error
        return manifest

    @classmethod
    def peek(cls, output: Location) -> Self:
        """Open for reading only, and change nothing; empty where there is none."""
        path = output / MANIFEST
        try:
            return cls._load(path)
        except (FileNotFoundError, NotADirectoryError):
            return cls(path, None)
        except OSError as error:
            raise describe_write_error(path, error, "record in") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def warning(self) -> str | None:
        """One sentence about invalid lines, if there are any."""
        if not self.ignored:
            return None
        return f"{self.path}: {self.ignored} line(s) are no records and were ignored"

    def has_target(self, target: str) -> bool:
        """Whether a result has this target, or one that differs in case only."""
        return hash_target(target) in self._targets

    def append(self, records: Sequence[Record]) -> None:
        """Add records and sync them to the disk.

        Raises OutputError, and takes back what was written, when that fails.
        """
        lines = [to_line(record) for record in records]
        if not lines or self._descriptor is None:
            return
        if self._check is not None:
            self._check()
        try:
            write_all(self._descriptor, b"".join(lines))
            os.fsync(self._descriptor)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            raise describe_write_error(self.path, error, "record in") from error
        for record, line in zip(records, lines, strict=True):
            self._index(record, self._size)
            self._size += len(line)

    def _index(self, record: Record, offset: int) -> None:
        super()._index(record, offset)
        if isinstance(record, Outcome) and record.state is State.DONE and record.target is not None:
            self._targets.add(hash_target(record.target))

    def _sync_name(self) -> None:
        descriptor = os.open(require_path(self.path).parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            sync_folder(descriptor)
        finally:
            os.close(descriptor)

    def _repair_tail(self) -> None:
        """Finish a complete last line that lacks its newline; cut off a torn one of ours."""
        assert self._descriptor is not None  # noqa: S101
        length = min(self._size, MAX_LINE_BYTES)
        end = os.pread(self._descriptor, length, self._size - length)
        tail = end[end.rfind(b"\n") + 1 :]
        if not tail:
            return
        start = self._size - len(tail)
        try:
            outcome = parse_outcome(tail)
        except ValueError:
            if tail.startswith(_OPENING[: len(tail)]):
                os.ftruncate(self._descriptor, start)
                self._size = start
                return
            outcome = None
            self.ignored += 1
        write_all(self._descriptor, b"\n")
        self._size += 1
        if outcome is not None:
            self._index(outcome, start)


class Recorder:
    """Records outcomes in batches, at most half a second late, so that they share an fsync."""

    def __init__(self, manifest: Manifest, opening: Provenance | None) -> None:
        self._manifest = manifest
        self._opening = opening
        self._pending: list[Outcome] = []
        self._flushed = 0.0

    @property
    def pending(self) -> int:
        return len(self._pending)

    def add(self, outcome: Outcome) -> None:
        self._pending.append(outcome)
        if len(self._pending) >= _MAX_PENDING or time.monotonic() - self._flushed >= _MAX_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Record everything; raises OutputError, and keeps everything pending then."""
        if not self._pending:
            return
        opening: list[Record] = [] if self._opening is None else [self._opening]
        self._manifest.append([*opening, *self._pending])
        self._opening = None
        self._pending.clear()
        self._flushed = time.monotonic()
