"""Enforce the limits of time and memory inside a worker process."""

import contextlib
import faulthandler
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Self, TextIO

from archive_colorizer.device import has_driver
from archive_colorizer.executors.executor import Batch, Task
from archive_colorizer.executors.limits import Limits
from archive_colorizer.records.jobs import Job
from archive_colorizer.records.outcomes import Outcome

_MEMORY_MARGIN = 0.9
"""Share of a worker's memory at which it is refused more, before its nanny kills it."""


def run_with_limits(batch: Batch, task: Task, limits: Limits, timeout_file: str) -> list[Outcome]:
    """Run the task under `limits` in a worker process; memory of 0 is unlimited.

    A file that needs more memory gets a MemoryError.  When the time of a file is over, the
    process ends, and the `timeout_file` of its thread is not empty.
    """
    _refuse_memory(limits.memory)
    if not limits.seconds:
        return task(batch)
    try:
        with (
            _touch(timeout_file).open("w", encoding="utf-8") as stream,
            _DEADLINES.register(stream) as set_deadline,
        ):
            set_deadline(limits.compute_seconds(batch))
            return task(_TimedBatch(batch, set_deadline, limits))
    finally:
        with contextlib.suppress(OSError):
            Path(timeout_file).unlink()


class _Deadlines:
    """Deadlines of several threads, and the one timer that a process has.

    faulthandler's timer needs no GIL, with which a decoder may hang.
    """

    def __init__(self) -> None:
        self._deadlines: dict[TextIO, float] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def register(self, stream: TextIO) -> Iterator[Callable[[float], None]]:
        """Yield a function that sets the seconds from now after which the process ends.

        It then writes the stacks of its threads to `stream`.
        """

        def set_deadline(seconds: float) -> None:
            with self._lock:
                self._deadlines[stream] = time.monotonic() + seconds
                self._restart_timer()

        try:
            yield set_deadline
        finally:
            with self._lock:
                self._deadlines.pop(stream, None)
                self._restart_timer()

    def _restart_timer(self) -> None:
        faulthandler.cancel_dump_traceback_later()
        if self._deadlines:
            stream, deadline = min(self._deadlines.items(), key=lambda entry: entry[1])
            seconds = max(deadline - time.monotonic(), _MIN_SECONDS)
            faulthandler.dump_traceback_later(seconds, exit=True, file=stream)


_DEADLINES: Final = _Deadlines()
_MIN_SECONDS: Final = 0.001


class _TimedBatch(tuple[Job, ...]):
    """A batch that sets a new deadline for each file when its turn comes."""

    _set_deadline: Callable[[float], None]
    _limits: Limits

    def __new__(cls, batch: Batch, set_deadline: Callable[[float], None], limits: Limits) -> Self:
        timed = super().__new__(cls, batch)
        timed._set_deadline, timed._limits = set_deadline, limits
        return timed

    def __iter__(self) -> Iterator[Job]:
        for job in super().__iter__():
            self._set_deadline(self._limits.compute_seconds((job,)))
            yield job


def has_timed_out(timeout_file: str) -> bool:
    """Return whether the process with this file ended because its time was over."""
    try:
        return Path(timeout_file).stat().st_size > 0
    except OSError:
        return False


def can_refuse_memory() -> bool:
    """Return whether a worker can be refused memory for each file.

    The driver of a GPU maps more than it uses, and other systems than Linux do not count all
    allocations; there, only the nanny checks.
    """
    return sys.platform == "linux" and not has_driver()


def _refuse_memory(limit: int) -> None:
    if not limit or not can_refuse_memory():
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = int(limit * _MEMORY_MARGIN)
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _touch(timeout_file: str) -> Path:
    """Create the file; return the null device if the disk is full."""
    try:
        Path(timeout_file).touch()
    except OSError:
        return Path(os.devnull)
    return Path(timeout_file)
