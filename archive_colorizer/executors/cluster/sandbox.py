"""Run requests in separate processes next to a worker of an existing cluster.

A sandbox can be limited and killed without any effect on the worker, which may run tasks of
others at the same time.
"""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import gettempdir
from typing import Final
from uuid import uuid4

import psutil

from archive_colorizer.errors import ArchiveColorizerError
from archive_colorizer.executors.environment import build_environment, lower_priority
from archive_colorizer.executors.worker_guard import can_refuse_memory, has_timed_out

_STARTED: Final = b"begun"
"""Sent before each request runs, so that the parent knows whether it did."""

_IDLE_TIMEOUT: Final = 60.0
"""Seconds without a request after which the process ends, since its parent may be gone."""
_PARENT_INTERVAL: Final = 1.0
"""Seconds between checks that the parent is alive."""
_MEMORY_INTERVAL: Final = 0.5
"""Seconds between memory checks where memory cannot be refused."""

_EXIT_TIMEOUT: Final = 10.0
"""Seconds for a process that closed its connection to end, on a busy machine."""


@dataclass(frozen=True, slots=True)
class SandboxCrash:
    """How a process ended during a request; `timeout`: because its time was over."""

    message: str
    timeout: bool = False


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """Threads, bytes of memory (0: unlimited) and niceness of a process."""

    threads: int = 1
    memory: int = 0
    niceness: int = 0


class SandboxProcess:
    """A process that starts with this object, and ends with `end` or when it is idle."""

    def __init__(self, limits: SandboxLimits) -> None:
        own_end, process_end = Pipe()
        self._connection = own_end
        self._timeout_file = str(Path(gettempdir(), f"colorize-{uuid4().hex}"))
        with process_end:
            descriptor = process_end.fileno()
            call = f"serve({descriptor}, {self._timeout_file!r}, {limits.niceness})"
            variables = build_environment(limits.threads)
            # The worker's module search path may have been extended at run time.
            variables["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
            self._process = subprocess.Popen(  # noqa: S603 (this interpreter with our own code)
                [sys.executable, "-c", f"from {__name__} import serve; {call}"],
                env=os.environ | variables,
                stdin=subprocess.DEVNULL,
                pass_fds=(descriptor,),
            )

    def begin(self, request: bytes) -> bool:
        """Send a request; return False if the process has ended before."""
        try:
            self._connection.send_bytes(request)
            return self._connection.recv_bytes() == _STARTED
        except (EOFError, OSError):
            return False

    def receive(self, memory: int) -> bytes | SandboxCrash:
        """Wait for the pickled answer; the process may use `memory` bytes."""
        try:
            while not self._connection.poll(_MEMORY_INTERVAL):
                if not can_refuse_memory() and 0 < memory < self._measure_memory():
                    return SandboxCrash(f"it took more than {memory / 1e9:.1f} GB of memory")
            return self._connection.recv_bytes()
        except (EOFError, OSError):
            return SandboxCrash(self._describe_exit(), timeout=has_timed_out(self._timeout_file))

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        Path(self._timeout_file).unlink(missing_ok=True)

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def _describe_exit(self) -> str:
        try:
            code = self._process.wait(_EXIT_TIMEOUT)
        except subprocess.TimeoutExpired:
            return "its process is ending"
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with {code}"
        return f"its process ended {how}"

    def _measure_memory(self) -> int:
        try:
            return int(psutil.Process(self._process.pid).memory_info().rss)
        except psutil.Error:
            return 0


class SandboxPool:
    """The processes of one run next to one worker, one for each concurrent request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[SandboxProcess] = []
        self._busy: set[SandboxProcess] = set()
        self._ended = False

    def run(self, request: bytes, limits: SandboxLimits) -> bytes | SandboxCrash:
        """Run a request in an idle process or a new one."""
        process = self._start_process(request, limits)
        if process is None:
            return SandboxCrash("its process did not begin")
        answer = process.receive(limits.memory)
        with self._lock:
            self._busy.discard(process)
            keep = not self._ended and not isinstance(answer, SandboxCrash)
            if keep:
                self._idle.append(process)
        if not keep:
            process.end()
        return answer

    def end(self) -> None:
        """Kill all processes, and refuse later requests."""
        with self._lock:
            self._ended = True
            processes = [*self._idle, *self._busy]
            self._idle.clear()
        for process in processes:
            process.end()

    def is_over(self) -> bool:
        """Return whether all processes have ended, for example long after their run."""
        with self._lock:
            return not self._busy and all(process.has_ended for process in self._idle)

    def _start_process(self, request: bytes, limits: SandboxLimits) -> SandboxProcess | None:
        """Send the request to a process, trying idle ones first, which may have ended."""
        while True:
            with self._lock:
                if self._ended:
                    return None
                is_new = not self._idle
                process = SandboxProcess(limits) if is_new else self._idle.pop()
                self._busy.add(process)
            if process.begin(request):
                return process
            with self._lock:
                self._busy.discard(process)
            process.end()
            if is_new:
                return None


_pools: dict[str, SandboxPool] = {}
_pools_lock = threading.Lock()


def run_in_sandbox(run: str, request: bytes, limits: SandboxLimits) -> bytes | SandboxCrash:
    """Run a request in the worker's pool for this run."""
    with _pools_lock:
        if run not in _pools:
            for other_run in [name for name, pool in _pools.items() if pool.is_over()]:
                _pools.pop(other_run).end()
            _pools[run] = SandboxPool()
        lanes = _pools[run]
    return lanes.run(request, limits)


def stop_sandboxes(run: str) -> None:
    """Kill the processes of a run next to this worker."""
    with _pools_lock:
        pool = _pools.setdefault(run, SandboxPool())
    pool.end()


def serve(descriptor: int, timeout_file: str, niceness: int) -> None:
    """Run requests from an open socket until none comes or the other end is closed.

    A request is a pickled function of `timeout_file` (see `run_with_limits`).  Its result is
    sent back, and so is an ArchiveColorizerError; any other exception ends the process.
    """
    # Signals to stop the parent reach the whole process group, but requests are finished.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    lower_priority(niceness)
    threading.Thread(target=_exit_with_parent, args=(os.getppid(),), daemon=True).start()
    with Connection(descriptor) as connection, contextlib.suppress(EOFError, OSError):
        while connection.poll(_IDLE_TIMEOUT):
            request = connection.recv_bytes()
            connection.send_bytes(_STARTED)
            connection.send_bytes(pickle.dumps(_run_request(request, timeout_file)))


def _run_request(request: bytes, timeout_file: str) -> object:
    call: Callable[[str], object] = pickle.loads(request)  # noqa: S301 (from its own parent)
    try:
        return call(timeout_file)
    except ArchiveColorizerError as error:
        return error


def _exit_with_parent(parent: int) -> None:
    """Exit when the parent was killed, also while a request runs."""
    while os.getppid() == parent:
        time.sleep(_PARENT_INTERVAL)
    os._exit(1)
