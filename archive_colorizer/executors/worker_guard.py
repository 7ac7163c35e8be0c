"""The watch over a worker process, inside of it: time and memory."""

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

_MARGIN = 0.9
"""Share of a worker's memory at which it is refused more; its nanny ends it a little later."""


def guarded(batch: Batch, task: Task, limits: Limits, note: str) -> list[Outcome]:
    """Run the task under `limits`, in a worker process; `limits.memory` is 0 for none.

    A file that wants more memory gets a MemoryError.  When a file's time is over the process
    ends, whatever it is doing, and `note` is a file that is not empty.  Several threads may
    run one each: only the note of the one whose time is over tells.
    """
    _refuse_memory(limits.memory)
    if not limits.seconds:
        return task(batch)
    try:
        with _place(note).open("w", encoding="utf-8") as stream, _ALARMS.kept(stream) as give:
            give(limits.seconds_for(batch))
            return task(_Timed(batch, lambda job: give(limits.seconds_for((job,)))))
    finally:
        with contextlib.suppress(OSError):
            Path(note).unlink()


class _Alarms:
    """The ends of the time of several threads, of which one timer holds the first.

    The timer is faulthandler's, a thread that needs no lock of Python's: a decoder may hang
    with that lock in hand.  A process has one such timer.
    """

    def __init__(self) -> None:
        self._ends: dict[TextIO, float] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def kept(self, stream: TextIO) -> Iterator[Callable[[float], None]]:
        """What gives so many seconds from then on, and no more.

        When they are over, the process ends, with the stacks of its threads in `stream`.
        """

        def give(seconds: float) -> None:
            with self._lock:
                self._ends[stream] = time.monotonic() + seconds
                self._set()

        try:
            yield give
        finally:
            with self._lock:
                self._ends.pop(stream, None)
                self._set()

    def _set(self) -> None:
        faulthandler.cancel_dump_traceback_later()
        if self._ends:
            stream, end = min(self._ends.items(), key=lambda one: one[1])
            left = max(end - time.monotonic(), _AT_ONCE)
            faulthandler.dump_traceback_later(left, exit=True, file=stream)


_ALARMS: Final = _Alarms()
_AT_ONCE: Final = 0.001
"""Seconds; a timer takes no 0."""


class _Timed(tuple[Job, ...]):
    """A batch whose every file gets its own time when its turn comes."""

    _begin: Callable[[Job], None]

    def __new__(cls, batch: Batch, begin: Callable[[Job], None]) -> Self:
        timed = super().__new__(cls, batch)
        timed._begin = begin
        return timed

    def __iter__(self) -> Iterator[Job]:
        for job in super().__iter__():
            self._begin(job)
            yield job


def ran_out_of_time(note: str) -> bool:
    """Whether the process that had this note ended because its time was over."""
    try:
        return Path(note).stat().st_size > 0
    except OSError:
        return False


def can_refuse_memory() -> bool:
    """Whether a worker can be refused memory, file by file.

    The driver of a GPU maps more than it uses, and only Linux counts all that is asked for;
    elsewhere only the nanny watches.
    """
    return sys.platform == "linux" and not has_driver()


def _refuse_memory(most: int) -> None:
    if not most or not can_refuse_memory():
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = int(most * _MARGIN)
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _place(note: str) -> Path:
    """The note, or nowhere: a full disk must not keep a file from being restored."""
    try:
        Path(note).touch()
    except OSError:
        return Path(os.devnull)
    return Path(note)
