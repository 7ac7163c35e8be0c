"""Send requests to sandbox processes, and keep their deadlines outside of what may hang."""

import time
from dataclasses import dataclass
from typing import Any, Final

import psutil

from archive_colorizer.executors.sandbox_server import Message, can_refuse_memory

_TICK: Final = 0.5
"""Seconds between two looks at a stopwatch, which a busy machine may prolong."""
_MAX_TICK: Final = 1.0
"""Seconds that count between two looks, since more means that this process was stopped."""

_BEGIN_TIMEOUT: Final = 300.0
"""Seconds for a request to begin, since modules may be imported from a slow disk."""
_STOPPED_TIMEOUT: Final = 30.0
"""Seconds that a process may be stopped (SIGSTOP) while this one runs."""


@dataclass(frozen=True, slots=True)
class SandboxRequest:
    """A pickled function of a `SetDeadline`, and the limits that the parent enforces.

    seconds: until its first deadline (0: unlimited).  memory: bytes of the whole process
    (0: unlimited), where memory cannot be refused.
    """

    payload: bytes
    seconds: float = 0.0
    memory: int = 0


@dataclass(frozen=True, slots=True)
class SandboxCrash:
    """How a process ended during a request.

    timeout: because its time was over.  never_began: the request is not at fault.
    """

    message: str
    timeout: bool = False
    never_began: bool = False


def begin_request(child: psutil.Process, connection: Any, payload: bytes) -> SandboxCrash | None:
    """Send a request; return a crash if the process does not begin it."""
    try:
        connection.send_bytes(payload)
        if crash := _Watch(child, _BEGIN_TIMEOUT).wait(connection):
            return crash
        message = connection.recv_bytes()
    except (EOFError, OSError):
        return SandboxCrash("its process ended")
    return None if message == Message.BEGUN else SandboxCrash(message[1:].decode(errors="replace"))


def receive_answer(
    child: psutil.Process, connection: Any, request: SandboxRequest
) -> bytes | SandboxCrash:
    """Wait for the pickled answer."""
    seconds = request.seconds
    try:
        while True:
            if crash := _Watch(child, seconds, request.memory).wait(connection):
                return crash
            message = connection.recv_bytes()
            kind, content = message[:1], message[1:]
            if kind == Message.ANSWER:
                return bytes(content)
            if kind == Message.CRASH:
                return SandboxCrash(content.decode(errors="replace"))
            seconds = float(content)
    except (EOFError, OSError):
        return SandboxCrash("its process ended")


class Stopwatch:
    """Measures the seconds that this process ran.

    Time in which it was stopped, as by Ctrl-Z, a suspended job or a frozen container, does not
    count, for the sandboxes were stopped as well.
    """

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self._seconds, self._looked_at = 0.0, time.monotonic()

    def measure(self) -> float:
        """Return the seconds since the start; to be called every `_TICK` seconds."""
        now = time.monotonic()
        self._seconds += min(now - self._looked_at, _MAX_TICK)
        self._looked_at = now
        return self._seconds


class _Watch:
    """Checks a process against its deadline (0: none) and its bytes of memory (0: unlimited)."""

    def __init__(self, child: psutil.Process, seconds: float, memory: int = 0) -> None:
        self._child = child
        self._seconds = seconds
        self._memory = 0 if can_refuse_memory() else memory
        self._elapsed, self._stopped = Stopwatch(), Stopwatch()

    def wait(self, connection: Any) -> SandboxCrash | None:
        """Wait for a message; return a crash if the process must be killed before."""
        while not connection.poll(min(_TICK, self._seconds or _TICK)):
            try:
                has_stopped = self._child.status() == psutil.STATUS_STOPPED
                memory = self._child.memory_info().rss if self._memory else 0
            except psutil.Error:
                continue
            if not has_stopped:
                self._stopped.restart()
            if 0 < self._seconds <= self._elapsed.measure():
                return SandboxCrash("its time was over", timeout=True)
            if self._stopped.measure() >= _STOPPED_TIMEOUT:
                return SandboxCrash("its process was stopped")
            if memory > self._memory:
                return SandboxCrash(f"it took more than {self._memory / 1e9:.1f} GB of memory")
        return None
