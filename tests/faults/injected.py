"""Faults that a source's name asks for, in whatever process restores it.

A worker imports this module with the task, so that it works in every executor.
"""

import ctypes
import errno
import io
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from archive_colorizer.records.jobs import Job, JobContext, Stamp
from archive_colorizer.records.outcomes import Outcome
from archive_colorizer.restore import photo, source_file
from archive_colorizer.storage import local, reading

_read = reading.read_source


class _Broken(io.FileIO):
    """A file on a disk that has lost the sector."""

    def read(self, _size: int | None = -1) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def _abort() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.abort()


def _segfault() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.string_at(0)


def _killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _hang() -> None:
    """In C, with the interpreter's lock in hand."""
    ctypes.PyDLL(None).sleep(600)


def _eat() -> None:
    """4 GB that are asked for and never touched, so that no machine suffers from it."""
    _hoard = [bytearray(64 << 20) for _ in range(64)]


_ACTS: dict[str, Callable[[], None]] = {
    "abort": _abort,
    "segfault": _segfault,
    "killed": _killed,
    "hang": _hang,
    "eat": _eat,
}


def read_with_faults(path: Path, known: Stamp | None = None) -> tuple[bytes, Stamp]:
    """In the place of `read_source`."""
    fault = path.stem.partition("-")[0]
    if fault == "eio":
        with mock.patch.object(local, "open", _Broken, create=True):
            return _read(path, known)
    if fault == "vanishes":
        path.unlink()
    if fault in _ACTS:
        _ACTS[fault]()
    read = _read(path, known)
    if fault == "grows":
        with path.open("ab") as stream:
            stream.write(b"more")
    return read


def restore_with_faults(jobs: tuple[Job, ...], context: JobContext) -> list[Outcome]:
    """In the place of `restore_photos`."""
    with mock.patch.object(source_file, "read_source", read_with_faults):
        return photo.restore_photos(jobs, context)
