"""The watch over a worker process, inside of it: time and memory."""

import contextlib
import faulthandler
import os
import resource
import sys
from pathlib import Path

from archive_colorizer.device import has_driver
from archive_colorizer.records import Outcome
from archive_colorizer.run.executor import Batch, Task
from archive_colorizer.run.limits import Limits

_MARGIN = 0.9
"""Share of a worker's memory at which it is refused more; its nanny ends it a little later."""


def guarded(batch: Batch, task: Task, limits: Limits, note: str) -> list[Outcome]:
    """Run the task under `limits`, in a worker process; `limits.memory` is 0 for none.

    A file that wants more memory gets a MemoryError.  When the time is over the process
    ends, whatever it is doing, and `note` is a file that is not empty.
    """
    _refuse_memory(limits.memory)
    seconds = limits.seconds_for(batch)
    if not seconds:
        return task(batch)
    with _place(note).open("w", encoding="utf-8") as stream:
        # A thread that needs no lock of Python's: a decoder may hang with that lock in hand.
        faulthandler.dump_traceback_later(seconds, exit=True, file=stream)
        try:
            return task(batch)
        finally:
            faulthandler.cancel_dump_traceback_later()
            with contextlib.suppress(OSError):
                Path(note).unlink()


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
