"""Run requests in sandbox processes of this machine, which can be limited and killed.

What happens to them costs neither the run nor a Dask worker anything.
"""

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import psutil

from archive_colorizer.executors.allocation import WorkerAllocation
from archive_colorizer.executors.processes import ProcessStarter
from archive_colorizer.executors.sandbox_request import (
    SandboxCrash,
    SandboxRequest,
    send_request,
)

_NO_PROCESS_TIMEOUT: Final = 30.0
"""Seconds without a process that starts after which the worker gives up."""
_RETRY_INTERVAL: Final = 0.5
_UNUSED_TIMEOUT: Final = 60.0
"""Seconds after which a pool without processes is taken for one of a run that was killed."""
_EXIT_TIMEOUT: Final = 10.0
"""Seconds for a process that closed its connection to end, on a busy machine."""


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """The processes of a run next to one worker.

    allocation: threads of each process; its workers are their maximum, or 0.  niceness: their
    minimum.  modules: loaded before the first of them starts.
    """

    allocation: WorkerAllocation
    niceness: int = 0
    modules: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class _Process:
    """A process, its place among the others, and the connections that are free."""

    number: int
    child: psutil.Process
    lanes: int
    free: list[Any]

    @property
    def busy(self) -> int:
        return self.lanes - len(self.free)


class SandboxPool:
    """The processes of one run next to one worker, started on demand."""

    def __init__(self, settings: SandboxSettings) -> None:
        allocation = settings.allocation
        self._settings = settings
        self._lanes = allocation.threads_per_worker
        self._starter = ProcessStarter(settings.modules, allocation.threads, self._lanes)
        self._lock = threading.Lock()
        # Held while a process starts, which no answer waits for.
        self._starting = threading.Lock()
        self._processes: list[_Process] = []
        self._has_ended = False
        self.used_at = time.monotonic()

    def prepare(self) -> None:
        """Load the modules of later processes in the background; raises OSError."""
        self._starter.prepare()

    def run(self, request: SandboxRequest) -> bytes | SandboxCrash:
        """Run a request in an idle process or a new one, and return its pickled answer."""
        failing_since, reason = time.monotonic(), ""
        while time.monotonic() - failing_since < _NO_PROCESS_TIMEOUT and not self._has_ended:
            is_new = True
            try:
                process, connection, is_new = self._acquire()
            except OSError as error:
                reason = str(error)
            else:
                answer = send_request(process.child, connection, request)
                self._release(process, connection, isinstance(answer, SandboxCrash))
                if isinstance(answer, bytes) or not answer.never_began:
                    return answer
                reason = answer.message
            if self._processes:
                failing_since = time.monotonic()  # The request can wait for one of them.
            if is_new:
                time.sleep(_RETRY_INTERVAL)
        message = f"no worker process could be started for {_NO_PROCESS_TIMEOUT:g} s ({reason})"
        return SandboxCrash("the run has ended" if self._has_ended else message, never_began=True)

    def end(self) -> None:
        """Kill all processes, and refuse later requests."""
        self._has_ended = True
        with self._lock:
            processes = [process.child for process in self._processes]
        for process in processes:
            _kill(process)
        psutil.wait_procs(processes, _EXIT_TIMEOUT)
        self._starter.close()

    def is_over(self) -> bool:
        """Return whether all processes have ended long ago, as they do after their run."""
        with self._lock:
            has_work = any(
                process.busy or process.child.is_running() for process in self._processes
            )
        return not has_work and time.monotonic() - self.used_at > _UNUSED_TIMEOUT

    def _acquire(self) -> tuple[_Process, Any, bool]:
        """Return a process, its connection for one request, and whether it is new."""
        with self._starting:
            with self._lock:
                candidates = [process for process in self._processes if process.free]
                process = min(candidates, key=lambda candidate: candidate.busy, default=None)
                is_full = len(self._processes) >= (self._settings.allocation.workers or 1 << 30)
                if process is not None and (is_full or not process.busy):
                    return process, process.free.pop(), False
                numbers = {process.number for process in self._processes}
            number = min(set(range(len(numbers) + 1)) - numbers)
            gpu = self._settings.allocation.get_gpu(number)
            child, connections = self._starter.start(self._lanes, self._settings.niceness, gpu)
            connection = connections.pop()
            process = _Process(number, child, self._lanes, connections)
            with self._lock:
                self._processes.append(process)
            if self._has_ended:
                _kill(child)
            return process, connection, True

    def _release(self, process: _Process, connection: Any, has_crashed: bool) -> None:
        if not has_crashed:
            with self._lock:
                process.free.append(connection)
            return
        connection.close()
        with self._lock:
            if process in self._processes:
                self._processes.remove(process)
        _kill(process.child)
        # Until it ends, it may still be writing.
        psutil.wait_procs([process.child], _EXIT_TIMEOUT)


def _kill(child: psutil.Process) -> None:
    with suppress(psutil.Error):
        child.kill()


_pools: dict[str, SandboxPool] = {}
_pools_lock = threading.Lock()


def open_pool(run: str, settings: SandboxSettings) -> SandboxPool:
    """Return the pool of a run next to this worker; end those whose runs are over."""
    with _pools_lock:
        if run not in _pools:
            for other_run in [name for name, pool in _pools.items() if pool.is_over()]:
                _pools.pop(other_run).end()
            _pools[run] = SandboxPool(settings)
        _pools[run].used_at = time.monotonic()
        return _pools[run]


def run_in_sandbox(
    run: str, request: SandboxRequest, settings: SandboxSettings
) -> bytes | SandboxCrash:
    """Run a request in the worker's pool for this run."""
    return open_pool(run, settings).run(request)


def stop_sandboxes(run: str) -> None:
    """Kill the processes of a run next to this worker."""
    open_pool(run, SandboxSettings(WorkerAllocation(1))).end()
