"""Lane: a process of ours beside a worker that is not ours, for one order at a time.

The worker of somebody's cluster lends a thread, and keeps its process: what a picture does to
libraries and memory happens next door.  So a lane can be limited and ended, and neither the
worker nor what others do in it takes notice.
"""

import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from multiprocessing import Pipe
from pathlib import Path
from tempfile import gettempdir
from typing import Final
from uuid import uuid4

import psutil

from archive_colorizer.executors.cluster.sandbox_process import BEGUN
from archive_colorizer.executors.environment import environment
from archive_colorizer.executors.worker_guard import can_refuse_memory, ran_out_of_time

_LOOK: Final = 0.5
"""Seconds between two looks at the memory of a lane that cannot be refused any."""

_PATIENCE: Final = 10.0
"""Seconds that a process which has hung up gets to end, on a busy machine."""


@dataclass(frozen=True, slots=True)
class Broken:
    """How a lane ended before it had done its order; `timeout`: because its time was over."""

    message: str
    timeout: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """How a lane works: its threads, the bytes that it may take (0: any), and its niceness."""

    threads: int = 1
    memory: int = 0
    niceness: int = 0


class Lane:
    """One process, begun with this object and ended with `end`, or by itself when nobody asks."""

    def __init__(self, terms: Terms) -> None:
        ours, theirs = Pipe()
        self._host = ours
        self._note = str(Path(gettempdir(), f"colorize-{uuid4().hex}"))
        with theirs:
            number = theirs.fileno()
            words = f"import serve; serve({number}, {self._note!r}, {terms.niceness})"
            self._process = subprocess.Popen(  # noqa: S603 (this interpreter, and our own words)
                [
                    sys.executable,
                    "-c",
                    f"from archive_colorizer.executors.cluster.sandbox_process {words}",
                ],
                env={**os.environ, **environment(terms.threads), "PYTHONPATH": _path()},
                stdin=subprocess.DEVNULL,
                pass_fds=(number,),
            )

    def begin(self, order: bytes) -> bool:
        """Hand an order over; False when the process has ended and nobody took it."""
        try:
            self._host.send_bytes(order)
            return self._host.recv_bytes() == BEGUN
        except (EOFError, OSError):
            return False

    def answer(self, memory: int) -> bytes | Broken:
        """The answer to the order that was begun, pickled; `memory` is what it may take."""
        try:
            while not self._host.poll(_LOOK):
                if not can_refuse_memory() and 0 < memory < self._takes():
                    return Broken(f"it took more than {memory / 1e9:.1f} GB of memory")
            return self._host.recv_bytes()
        except (EOFError, OSError):
            return Broken(self._last_words(), timeout=ran_out_of_time(self._note))

    def end(self) -> None:
        """End the process at once, whatever it does."""
        self._process.kill()
        self._process.wait()
        Path(self._note).unlink(missing_ok=True)

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def _last_words(self) -> str:
        try:
            code = self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            return "its process is ending"
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with {code}"
        return f"its process ended {how}"

    def _takes(self) -> int:
        try:
            return int(psutil.Process(self._process.pid).memory_info().rss)
        except psutil.Error:
            return 0


class Lanes:
    """The lanes of one run beside one worker: as many as it has orders at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[Lane] = []
        self._busy: set[Lane] = set()
        self._ended = False

    def do(self, order: bytes, terms: Terms) -> bytes | Broken:
        """Have an order done by an idle lane or a new one."""
        lane = self._begun(order, terms)
        if lane is None:
            return Broken("its process did not begin")
        answer = lane.answer(terms.memory)
        with self._lock:
            self._busy.discard(lane)
            keep = not self._ended and not isinstance(answer, Broken)
            if keep:
                self._idle.append(lane)
        if not keep:
            lane.end()
        return answer

    def end(self) -> None:
        """End all of them; an order that comes later begins none."""
        with self._lock:
            self._ended = True
            lanes = [*self._idle, *self._busy]
            self._idle.clear()
        for lane in lanes:
            lane.end()

    def is_over(self) -> bool:
        """Whether nothing of it is left, as when its run was killed a while ago."""
        with self._lock:
            return not self._busy and all(lane.has_ended for lane in self._idle)

    def _begun(self, order: bytes, terms: Terms) -> Lane | None:
        """A lane that has begun with the order; an idle one may have ended meanwhile."""
        while True:
            with self._lock:
                if self._ended:
                    return None
                is_new = not self._idle
                lane = Lane(terms) if is_new else self._idle.pop()
                self._busy.add(lane)
            if lane.begin(order):
                return lane
            with self._lock:
                self._busy.discard(lane)
            lane.end()
            if is_new:
                return None


_runs: dict[str, Lanes] = {}
_runs_lock = threading.Lock()


def work_in_lane(run: str, order: bytes, terms: Terms) -> bytes | Broken:
    """What a worker does for the run `run`: see Lanes."""
    with _runs_lock:
        if run not in _runs:
            for other in [name for name, lanes in _runs.items() if lanes.is_over()]:
                _runs.pop(other).end()
            _runs[run] = Lanes()
        lanes = _runs[run]
    return lanes.do(order, terms)


def end_lanes(run: str) -> None:
    """Leave nothing of the run `run` beside this worker."""
    with _runs_lock:
        lanes = _runs.setdefault(run, Lanes())
    lanes.end()


def _path() -> str:
    """Where the worker finds modules: it may have been told so by other means than ours."""
    return os.pathsep.join(filter(None, sys.path))
