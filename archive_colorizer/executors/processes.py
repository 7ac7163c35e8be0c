"""Start sandbox processes: forked from one that has loaded their modules, or spawned."""

import importlib
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, Final, cast

import psutil

from archive_colorizer.executors.environment import block_signals, build_environment, mask_signals
from archive_colorizer.executors.sandbox_request import wait_for_message
from archive_colorizer.executors.sandbox_server import serve

CAN_FORK: Final = sys.platform == "linux"
"""Whether processes are forked; on other systems, that breaks system libraries."""

_FORK_TIMEOUT: Final = 300.0
"""Seconds for a process to be forked, since modules may come from a slow disk."""
_IDLE_TIMEOUT: Final = 60.0
"""Seconds without requests and children after which a fork server ends."""
_MESSAGE_BYTES: Final = 4096
_MAX_DESCRIPTORS: Final = 64


class ProcessStarter:
    """Starts processes that end with this object's process, whatever happens to it.

    modules: loaded before the first fork.  threads, concurrency: see `build_environment`.
    """

    def __init__(self, modules: Sequence[str], threads: int, concurrency: int) -> None:
        self._modules = list(modules)
        # The module search path may have been extended at run time.
        path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._environment = os.environ | build_environment(threads, concurrency) | path
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._socket = socket.socket()
        self._is_closed = False
        # Never written to: reading it ends when this process ends.
        self._lifeline, self._lifeline_end = Pipe(duplex=False)

    def prepare(self) -> None:
        """Start a fork server without waiting for it, unless one runs; raises OSError."""
        if not CAN_FORK or (self._server is not None and self._server.poll() is None):
            return
        if self._is_closed:
            raise OSError("the run has ended")
        self._socket, server_end = socket.socketpair()
        with server_end:
            call = f"serve_forks({server_end.fileno()}, {self._modules})"
            self._server = self._spawn(__name__, call, [server_end.fileno()])

    def start(self, lanes: int, niceness: int, gpu: str | None) -> tuple[psutil.Process, list[Any]]:
        """Start a process, and return it with a connection for each of its lanes.

        Raises OSError if the system has no room, or a process died while it started.
        """
        pipes = [Pipe() for _ in range(lanes)]
        descriptors = [self._lifeline.fileno(), *(end.fileno() for _, end in pipes)]
        try:
            if CAN_FORK:
                pid = self._fork(descriptors, niceness, gpu)
            else:
                call = f"serve({descriptors}, {niceness}, {gpu!r})"
                pid = self._spawn(serve.__module__, call, descriptors).pid
            return psutil.Process(pid), [own for own, _ in pipes]
        except psutil.NoSuchProcess:
            raise ChildProcessError("a process died while it started") from None
        finally:
            for _, end in pipes:
                end.close()

    def close(self) -> None:
        """End all processes, also while another thread starts one."""
        self._is_closed = True
        self._lifeline_end.close()
        self._end_server()

    def _fork(self, descriptors: Sequence[int], niceness: int, gpu: str | None) -> int:
        with self._lock:
            self.prepare()
            server, connection = cast("subprocess.Popen[bytes]", self._server), self._socket
            try:
                socket.send_fds(connection, [pickle.dumps((niceness, gpu))], descriptors)
                process = psutil.Process(server.pid)
                with Connection(os.dup(connection.fileno())) as answers:
                    if crash := wait_for_message(process, answers, _FORK_TIMEOUT):
                        raise ChildProcessError(crash.message)
                    answer = answers.recv_bytes()
            except (OSError, EOFError, psutil.Error) as error:
                self._end_server()
                raise ChildProcessError(f"the process that starts others died ({error})") from error
        pid, number = pickle.loads(answer)  # noqa: S301 (from our own process)
        if number:
            raise OSError(number, os.strerror(number))
        return int(pid)

    def _end_server(self) -> None:
        if self._server is not None:
            self._server.kill()
            self._server.wait()

    def _spawn(
        self, module: str, call: str, descriptors: Collection[int]
    ) -> "subprocess.Popen[bytes]":
        """Run a call of a function of this package in a new interpreter with these descriptors."""
        options: dict[str, Any] = {"pass_fds": descriptors}
        if sys.platform == "win32":
            for descriptor in descriptors:
                os.set_handle_inheritable(descriptor, True)
            handles = {"handle_list": list(descriptors)}
            options = {"startupinfo": subprocess.STARTUPINFO(lpAttributeList=handles)}
        function = call.partition("(")[0]
        # Without -P, modules in the working directory would come first.
        command = [sys.executable, "-P", "-c", f"from {module} import {function}; {call}"]
        with mask_signals():
            return subprocess.Popen(  # noqa: S603 (this interpreter with our own code)
                command, env=self._environment, stdin=subprocess.DEVNULL, **options
            )


def serve_forks(descriptor: int, modules: Iterable[str]) -> None:
    """Fork a process for each message from an open socket, until its other end is closed."""
    block_signals()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # The system removes those that end.
    # Threads of libraries have handlers of their own for forks.
    warnings.simplefilter("ignore", DeprecationWarning)
    for module in modules:
        with suppress(ImportError):
            importlib.import_module(module)
    with socket.socket(fileno=descriptor) as server:
        while True:
            if not select.select([descriptor], [], [], _IDLE_TIMEOUT)[0]:
                if not psutil.Process().children():
                    return
                continue
            message, descriptors, _, _ = socket.recv_fds(server, _MESSAGE_BYTES, _MAX_DESCRIPTORS)
            if not message:
                return
            answer = _fork_server_child(server, message, descriptors)
            for inherited in descriptors:
                os.close(inherited)
            with Connection(os.dup(descriptor)) as answers:
                answers.send_bytes(pickle.dumps(answer))


def _fork_server_child(
    server: socket.socket, message: bytes, descriptors: Sequence[int]
) -> tuple[int, int]:
    """Return the process id and error number; never return in the child."""
    try:
        pid = os.fork()
    except OSError as error:
        return 0, error.errno or 0
    if pid == 0:
        try:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            server.close()
            serve(descriptors, *pickle.loads(message))  # noqa: S301 (from the run)
        finally:
            os._exit(1)
    return pid, 0
