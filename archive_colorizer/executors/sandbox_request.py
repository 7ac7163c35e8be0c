"""Send requests to sandbox processes, and keep their deadlines outside of what may hang."""

import time
from dataclasses import dataclass, replace
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


class _Stopwatch:
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


def send_request(
    child: psutil.Process, connection: Any, request: SandboxRequest
) -> bytes | SandboxCrash:
    """Send a request to a process, and wait for its pickled answer."""
    began, seconds = False, _BEGIN_TIMEOUT
    try:
        connection.send_bytes(request.payload)
        while True:
            if crash := wait_for_message(child, connection, seconds, request.memory):
                return replace(crash, never_began=not began)
            message = connection.recv_bytes()
            kind, content = message[:1], message[1:]
            if kind == Message.ANSWER:
                return bytes(content)
            if kind == Message.CRASH:
                return SandboxCrash(content.decode(errors="replace"), never_began=not began)
            seconds = float(content) if began else request.seconds
            began = True
    except (EOFError, OSError):
        return SandboxCrash("its process ended", never_began=not began)


def wait_for_message(
    child: psutil.Process, connection: Any, seconds: float, memory: int = 0
) -> SandboxCrash | None:
    """Wait for a message; return a crash if the process must be killed before.

    seconds: the deadline; memory: bytes that the process may use; 0 is unlimited.
    """
    elapsed, stopped = _Stopwatch(), _Stopwatch()
    memory = 0 if can_refuse_memory() else memory
    while not connection.poll(min(_TICK, seconds or _TICK)):
        try:
            has_stopped = child.status() == psutil.STATUS_STOPPED
            used_memory = child.memory_info().rss if memory else 0
        except psutil.Error:
            continue
        if not has_stopped:
            stopped.restart()
        if 0 < seconds <= elapsed.measure():
            return SandboxCrash("its time was over", timeout=True)
        if stopped.measure() >= _STOPPED_TIMEOUT:
            return SandboxCrash("its process was stopped")
        if used_memory > memory:
            return SandboxCrash(f"it took more than {memory / 1e9:.1f} GB of memory")
    return None
