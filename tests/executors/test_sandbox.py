"""A sandbox process: what happens in it costs its host nothing, and its host keeps the time."""

import ctypes
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from archive_colorizer.device import VISIBLE_DEVICES
from archive_colorizer.errors import ModelError
from archive_colorizer.executors import processes, sandbox, sandbox_request
from archive_colorizer.executors.allocation import WorkerAllocation
from archive_colorizer.executors.limits import Limits
from archive_colorizer.executors.sandbox import (
    SandboxPool,
    SandboxSettings,
    run_in_sandbox,
    stop_sandboxes,
)
from archive_colorizer.executors.sandbox_request import SandboxCrash, SandboxRequest
from archive_colorizer.executors.sandbox_server import can_refuse_memory, run_with_limits
from archive_colorizer.records.outcomes import Outcome
from tests.executors.cluster.foreign_cluster import wait_until
from tests.executors.test_limits import batch

SETTINGS = SandboxSettings(WorkerAllocation(0, threads=3), modules=(__name__,))

Deadline = Callable[[float], None]


@pytest.fixture(params=[True, False], ids=["forked", "spawned"])
def run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a run; on systems that cannot fork, its processes are spawned."""
    monkeypatch.setattr(processes, "CAN_FORK", request.param and processes.CAN_FORK)
    name = f"run-{os.urandom(4).hex()}"
    yield name
    stop_sandboxes(name)


def tell(_: Deadline) -> dict[str, object]:
    return {
        "pid": os.getpid(),
        "threads": os.environ["OMP_NUM_THREADS"],
        "nice": os.nice(0),
        "blocked": signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, []),
        "gpu": os.environ.get(VISIBLE_DEVICES),
    }


def die(_: Deadline) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(60)  # The signal may go to another thread.


def complain(_: Deadline) -> None:
    raise ModelError("it is gone")


def have_a_bug(_: Deadline) -> None:
    raise ZeroDivisionError("by 0")


def stop_itself(_: Deadline) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(60)


def sleep(_: Deadline) -> None:
    time.sleep(60)


def nap(_: Deadline) -> int:
    time.sleep(0.5)
    return os.getpid()


def hang_with_the_lock(set_deadline: Deadline) -> None:
    """Hangs in C as a decoder may; no other thread of Python can run meanwhile."""
    set_deadline(0.3)
    ctypes.PyDLL(None).sleep(100)


def hang_at_the_third(set_deadline: Deadline) -> None:
    for seconds in (0.5, 0.5, 60):
        set_deadline(1.0)
        time.sleep(seconds)


def asked(
    run: str, do: object, settings: SandboxSettings = SETTINGS, seconds: float = 0.0
) -> object:
    answer = run_in_sandbox(run, SandboxRequest(pickle.dumps(do), seconds), settings)
    return pickle.loads(answer) if isinstance(answer, bytes) else answer  # noqa: S301


def told(run: str, settings: SandboxSettings = SETTINGS) -> dict[str, object]:
    answer = asked(run, tell, settings)
    assert isinstance(answer, dict)
    return answer


def test_one_process_does_one_request_after_the_other(run: str) -> None:
    niceness = os.nice(0)
    settings = SandboxSettings(WorkerAllocation(0, threads=3), niceness=min(niceness + 1, 19))
    first = told(run, settings)
    assert first == told(run, settings)
    assert first["pid"] != os.getpid()
    assert (first["threads"], first["blocked"]) == ("3", True)
    assert first["nice"] == min(niceness + 1, 19)
    assert os.nice(0) == niceness


def test_a_crash_is_told_and_the_next_request_gets_a_new_process(run: str) -> None:
    before = told(run)
    assert asked(run, die) == SandboxCrash("its process ended")
    assert told(run)["pid"] != before["pid"]


def test_an_idle_process_that_has_ended_is_replaced(run: str) -> None:
    before = told(run)
    psutil.Process(before["pid"]).kill()  # type: ignore[arg-type]
    assert told(run)["pid"] != before["pid"]


def test_what_is_raised_on_purpose_comes_back(run: str) -> None:
    error = asked(run, complain)
    assert isinstance(error, ModelError)
    assert str(error) == "it is gone"
    assert isinstance(asked(run, tell), dict)


def test_a_bug_ends_the_process_and_not_the_host(run: str) -> None:
    assert asked(run, have_a_bug) == SandboxCrash("it raised ZeroDivisionError('by 0')")
    assert isinstance(asked(run, tell), dict)


@pytest.mark.parametrize("task", [hang_with_the_lock, hang_at_the_third])
def test_a_process_that_hangs_is_killed_from_outside(run: str, task: object) -> None:
    begun = time.monotonic()
    assert asked(run, task, seconds=50.0) == SandboxCrash("its time was over", timeout=True)
    assert time.monotonic() - begun < 30
    assert isinstance(asked(run, tell), dict)


def suspend(process: psutil.Process) -> None:
    process.suspend()
    wait_until(lambda: process.status() == psutil.STATUS_STOPPED)


def test_a_stopped_process_costs_its_request_alone(
    run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps no time itself, and a run without --timeout must not wait for it."""
    monkeypatch.setattr(sandbox_request, "_STOPPED_TIMEOUT", 1.0)
    assert asked(run, stop_itself) == SandboxCrash("its process was stopped")
    before = told(run)
    suspend(psutil.Process(before["pid"]))  # type: ignore[arg-type]
    assert told(run)["pid"] != before["pid"]


@pytest.mark.skipif(not processes.CAN_FORK, reason="there is none")
def test_a_stopped_fork_server_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_request, "_STOPPED_TIMEOUT", 1.0)
    pool = SandboxPool(SETTINGS)
    try:
        (pid,) = at_once(pool, nap, 1)
        server = psutil.Process(pid).parent()  # type: ignore[arg-type]
        assert server is not None
        suspend(server)
        psutil.Process(pid).kill()  # type: ignore[arg-type]
        (other,) = at_once(pool, nap, 1)
        assert isinstance(other, int)
        assert not server.is_running()
    finally:
        pool.end()


def test_time_in_which_everybody_was_stopped_does_not_count() -> None:
    watch = sandbox_request._Stopwatch()
    clock = iter([0.0, 0.5, 7200.5, 7201.0])

    class Time:
        monotonic = staticmethod(lambda: next(clock))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sandbox_request, "time", Time)
        watch.restart()
        assert [watch.measure() for _ in range(3)] == [0.5, 1.5, 2.0]


def eat(_: object) -> list[Outcome]:
    bytearray(2 << 30)
    return []


@pytest.mark.skipif(not can_refuse_memory(), reason="memory is only watched here")
def test_memory_is_limited_next_door_and_not_here(run: str) -> None:
    order = partial(run_with_limits, batch=batch(1), task=eat, limits=Limits(memory=1 << 30))
    assert asked(run, order) == SandboxCrash("it raised MemoryError()")
    assert len(bytearray(2 << 30)) == 2 << 30


def swell(_: Deadline) -> None:
    block = bytearray(512 << 20)
    block[::4096] = b"x" * len(block[::4096])
    time.sleep(60)


def test_memory_is_watched_where_it_cannot_be_refused(
    run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox_request, "can_refuse_memory", lambda: False)
    request = SandboxRequest(pickle.dumps(swell), memory=300_000_000)
    crash = run_in_sandbox(run, request, SETTINGS)
    assert crash == SandboxCrash("it took more than 0.3 GB of memory")


def test_a_run_that_has_ended_gets_no_process_more(run: str) -> None:
    first = told(run)
    stop_sandboxes(run)
    assert not psutil.pid_exists(first["pid"])  # type: ignore[arg-type]
    assert asked(run, tell) == SandboxCrash("the run has ended", never_began=True)


def at_once(pool: SandboxPool, task: object, count: int) -> list[object]:
    answers: list[object] = []

    def ask() -> None:
        answer = pool.run(SandboxRequest(pickle.dumps(task)))
        answers.append(pickle.loads(answer) if isinstance(answer, bytes) else answer)  # noqa: S301

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_requests_are_spread_over_processes_and_then_over_their_threads() -> None:
    pool = SandboxPool(SandboxSettings(WorkerAllocation(2, 1, 2, ("GPU-a", "GPU-b"))))
    try:
        (alone,) = at_once(pool, nap, 1)
        pids = at_once(pool, nap, 4)
        assert alone in pids
        assert sorted(map(pids.count, set(pids))) == [2, 2]
        # A process that takes the place of another takes its GPU.
        psutil.Process(alone).kill()  # type: ignore[arg-type]
        seen = at_once(pool, tell_slowly, 4)
        assert sorted(str(one["gpu"]) for one in seen) == ["GPU-a"] * 2 + ["GPU-b"] * 2  # type: ignore[index]
    finally:
        pool.end()


def tell_slowly(_: Deadline) -> dict[str, object]:
    time.sleep(0.5)
    return tell(_)


def test_without_a_process_for_long_the_worker_gives_up(
    run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(sandbox, "_NO_PROCESS_TIMEOUT", 2.0)
    with monkeypatch.context() as patch:
        patch.setattr(processes.subprocess, "Popen", refuse)
        crash = asked(run, tell)
    assert isinstance(crash, SandboxCrash)
    assert crash.never_began
    assert "could be started for 2 s ([Errno 11] Resource temporarily unavailable)" in crash.message
    assert isinstance(asked(run, tell), dict), "there is room again"


def test_processes_that_are_killed_while_they_start_cost_nothing(run: str) -> None:
    """As by the OOM killer, for a while."""
    before = {one.pid for one in psutil.Process().children(recursive=True)}
    end = time.monotonic() + 3

    def kill_all_that_start() -> None:
        while time.monotonic() < end:
            for child in psutil.Process().children(recursive=True):
                if child.pid not in before:
                    with suppress(psutil.Error):
                        child.kill()
            time.sleep(0.01)

    killer = threading.Thread(target=kill_all_that_start)
    killer.start()
    assert isinstance(asked(run, tell), dict)
    killer.join()


HOST = """
import pickle, sys
from archive_colorizer.executors.sandbox import run_in_sandbox
from archive_colorizer.executors.sandbox_request import SandboxRequest
from tests.executors import test_sandbox
ask = lambda do: run_in_sandbox("run", SandboxRequest(pickle.dumps(do)), test_sandbox.SETTINGS)
print(pickle.loads(ask(test_sandbox.tell))["pid"], flush=True)
ask(test_sandbox.sleep)
"""


def test_it_ends_with_a_host_that_is_killed_while_it_works() -> None:
    host = subprocess.Popen([sys.executable, "-c", HOST], stdout=subprocess.PIPE, text=True)
    assert host.stdout is not None
    process = psutil.Process(int(host.stdout.readline()))
    family = [process, *([process.parent()] if processes.CAN_FORK else [])]
    time.sleep(0.5)
    assert process.is_running()
    host.kill()
    host.communicate()
    for one in family:
        assert one is not None
        wait_until(partial(is_over, one), 20)


def is_over(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


IDLES = """
import sys
from archive_colorizer.executors import sandbox_server
sandbox_server._IDLE_TIMEOUT = 0.2
sandbox_server.serve([int(word) for word in sys.argv[1:]], 0, None)
"""


def test_it_ends_when_nobody_asks() -> None:
    """As of a run that was killed, next to a worker of a cluster that stays."""
    pipes = [multiprocessing.Pipe() for _ in range(2)]
    numbers = [end.fileno() for _, end in pipes]
    words = [sys.executable, "-c", IDLES, *map(str, numbers)]
    assert subprocess.run(words, pass_fds=numbers, timeout=60).returncode == 0


def test_modules_of_the_working_directory_are_not_imported(
    run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pickle.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    assert isinstance(asked(run, tell), dict)
