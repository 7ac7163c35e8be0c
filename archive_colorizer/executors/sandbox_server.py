"""Serve requests inside a sandbox process, and enforce the limit of memory."""

import contextlib
import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from multiprocessing import connection
from typing import Any, Final, Self, TypeAlias

from archive_colorizer.device import VISIBLE_DEVICES, has_driver
from archive_colorizer.errors import ArchiveColorizerError
from archive_colorizer.executors.environment import block_signals, lower_priority
from archive_colorizer.executors.executor import Batch, Task
from archive_colorizer.executors.limits import Limits
from archive_colorizer.records.jobs import Job
from archive_colorizer.records.outcomes import Outcome

SetDeadline: TypeAlias = Callable[[float], None]
"""Tells the parent the seconds from now after which it ends the process."""

if sys.platform == "win32":
    _Connection = connection.PipeConnection
else:
    _Connection = connection.Connection

_MEMORY_MARGIN: Final = 0.9
"""Share of a process's memory at which it is refused more."""
_IDLE_TIMEOUT: Final = 60.0
"""Seconds between checks for an idle process, which ends, since its run may be gone."""


class Message(bytes, Enum):
    """First byte of a message to the parent.

    DEADLINE: with seconds as text; the first, without, says that the request is read and runs.
    ANSWER: with a pickle.  CRASH: with the words of an unexpected exception, after which the
    process ends.
    """

    DEADLINE = b"d"
    ANSWER = b"a"
    CRASH = b"c"


def serve(descriptors: Sequence[int], niceness: int, gpu: str | None) -> None:
    """Run requests until none comes, or the first of the descriptors is closed by the parent.

    Each other descriptor gets a thread.  A request is a pickled function of a `SetDeadline`.
    Its result is sent back, and so is an ArchiveColorizerError.
    """
    # Signals to stop the parent reach the whole process group, but requests are finished.
    block_signals()
    lower_priority(niceness)
    if gpu is not None:
        os.environ[VISIBLE_DEVICES] = gpu
    lifeline = _Connection(descriptors[0])
    running: set[int] = set()
    for descriptor in descriptors[1:]:
        threading.Thread(target=_serve_lane, args=(descriptor, running), daemon=True).start()
    with contextlib.suppress(EOFError, OSError):
        while not lifeline.poll(_IDLE_TIMEOUT):
            if not running:
                break
    os._exit(0)


def _serve_lane(descriptor: int, running: set[int]) -> None:
    lane = _Connection(descriptor)
    try:
        while True:
            request = lane.recv_bytes()
            running.add(descriptor)
            lane.send_bytes(_run_request(request, lane))
            running.discard(descriptor)
    finally:
        # Also when the parent closed its end.
        error = sys.exc_info()[1]
        with contextlib.suppress(OSError):
            lane.send_bytes(Message.CRASH + f"it raised {error!r}".encode(errors="replace"))
        os._exit(1)


def _run_request(request: bytes, lane: Any) -> bytes:
    def set_deadline(seconds: float) -> None:
        lane.send_bytes(Message.DEADLINE + str(seconds).encode())

    call: Callable[[SetDeadline], object] = pickle.loads(request)  # noqa: S301 (from the run)
    lane.send_bytes(Message.DEADLINE)
    try:
        return Message.ANSWER + pickle.dumps(call(set_deadline))
    except ArchiveColorizerError as error:
        return Message.ANSWER + pickle.dumps(error)


def run_with_limits(
    set_deadline: SetDeadline, batch: Batch, task: Task, limits: Limits
) -> list[Outcome]:
    """Run the task under `limits`; a file that needs more memory gets a MemoryError.

    Memory of 0 is unlimited.  Each file has its own time.
    """
    _refuse_memory(limits.memory)
    return task(_TimedBatch(batch, set_deadline, limits) if limits.seconds else batch)


class _TimedBatch(tuple[Job, ...]):
    """A batch that sets a new deadline for each file when its turn comes."""

    _set_deadline: SetDeadline
    _limits: Limits

    def __new__(cls, batch: Batch, set_deadline: SetDeadline, limits: Limits) -> Self:
        timed = super().__new__(cls, batch)
        timed._set_deadline, timed._limits = set_deadline, limits
        return timed

    def __iter__(self) -> Iterator[Job]:
        for job in super().__iter__():
            self._set_deadline(self._limits.compute_seconds((job,)))
            yield job


def can_refuse_memory() -> bool:
    """Return whether a process can be refused memory for each file.

    The driver of a GPU maps more than it uses, and other systems than Linux do not count all
    allocations; there, the parent looks at what the process uses.
    """
    return sys.platform == "linux" and not has_driver()


def _refuse_memory(limit: int) -> None:
    if sys.platform != "linux" or not limit or not can_refuse_memory():
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = int(limit * _MEMORY_MARGIN)
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
