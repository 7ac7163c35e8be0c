"""A lane: what happens in it costs its host nothing."""

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial

import psutil
import pytest

from archive_colorizer.errors import ModelError
from archive_colorizer.executors.cluster.sandbox import (
    SandboxCrash,
    SandboxLimits,
    run_in_sandbox,
    stop_sandboxes,
)
from archive_colorizer.executors.limits import Limits
from archive_colorizer.executors.worker_guard import can_refuse_memory, run_with_limits
from archive_colorizer.records.outcomes import Outcome
from tests.executors.cluster.foreign_cluster import wait_until
from tests.executors.test_limits import batch

TERMS = SandboxLimits(threads=3)


@pytest.fixture
def run() -> Iterator[str]:
    name = f"run-{os.urandom(4).hex()}"
    yield name
    stop_sandboxes(name)


def tell(_note: str) -> dict[str, object]:
    return {
        "pid": os.getpid(),
        "threads": os.environ["OMP_NUM_THREADS"],
        "nice": os.nice(0),
        "blocked": signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, []),
    }


def die(_note: str) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def complain(_note: str) -> None:
    raise ModelError("it is gone")


def have_a_bug(_note: str) -> None:
    raise ZeroDivisionError


def sleep(_note: str) -> None:
    time.sleep(60)


def asked(run: str, do: object, terms: SandboxLimits = TERMS) -> object:
    answer = run_in_sandbox(run, pickle.dumps(do), terms)
    return pickle.loads(answer) if isinstance(answer, bytes) else answer  # noqa: S301


def test_one_process_does_one_order_after_the_other(run: str) -> None:
    niceness = os.nice(0)
    terms = SandboxLimits(threads=3, niceness=min(niceness + 1, 19))
    first = asked(run, tell, terms)
    assert first == asked(run, tell, terms)
    assert isinstance(first, dict)
    assert first["pid"] != os.getpid()
    assert (first["threads"], first["blocked"]) == ("3", True)
    assert first["nice"] == min(niceness + 1, 19)
    assert os.nice(0) == niceness


def test_a_crash_is_told_and_the_next_order_gets_a_new_process(run: str) -> None:
    before = asked(run, tell)
    assert asked(run, die) == SandboxCrash("its process ended by SIGSEGV")
    after = asked(run, tell)
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert before["pid"] != after["pid"]


def test_an_idle_process_that_has_ended_is_replaced(run: str) -> None:
    before = asked(run, tell)
    assert isinstance(before, dict)
    psutil.Process(before["pid"]).kill()
    assert isinstance(asked(run, tell), dict)


def test_what_is_raised_on_purpose_comes_back(run: str) -> None:
    error = asked(run, complain)
    assert isinstance(error, ModelError)
    assert str(error) == "it is gone"


def test_a_bug_ends_the_process_and_not_the_host(run: str) -> None:
    assert asked(run, have_a_bug) == SandboxCrash("its process ended with 1")


def hang(_: object) -> list[Outcome]:
    time.sleep(60)
    return []


def eat(_: object) -> list[Outcome]:
    bytearray(2 << 30)
    return []


def test_time_is_limited(run: str) -> None:
    answer = asked(run, partial(run_with_limits, batch(1), hang, Limits(0.3)))
    assert isinstance(answer, SandboxCrash)
    assert answer.timeout


@pytest.mark.skipif(not can_refuse_memory(), reason="memory is only watched here")
def test_memory_is_limited_next_door_and_not_here(run: str) -> None:
    order = partial(run_with_limits, batch(1), eat, Limits(memory=1 << 30))
    assert asked(run, order) == SandboxCrash("its process ended with 1")
    assert len(bytearray(2 << 30)) == 2 << 30


def test_a_run_that_has_ended_gets_no_process_more(run: str) -> None:
    first = asked(run, tell)
    assert isinstance(first, dict)
    stop_sandboxes(run)
    assert not psutil.pid_exists(first["pid"])
    assert asked(run, tell) == SandboxCrash("its process did not begin")


HOST = """
import pickle, sys
from archive_colorizer.executors.cluster.sandbox import SandboxLimits, run_in_sandbox
from tests.executors.cluster import test_sandbox
limits = SandboxLimits()
answer = run_in_sandbox("run", pickle.dumps(test_sandbox.tell), limits)
print(pickle.loads(answer)["pid"], flush=True)
run_in_sandbox("run", pickle.dumps(test_sandbox.sleep), limits)
"""


def test_it_ends_with_a_host_that_is_killed_while_it_works() -> None:
    host = subprocess.Popen([sys.executable, "-c", HOST], stdout=subprocess.PIPE, text=True)
    assert host.stdout is not None
    lane = psutil.Process(int(host.stdout.readline()))
    time.sleep(0.5)
    assert lane.is_running()
    host.kill()
    host.communicate()
    wait_until(lambda: not lane.is_running() or lane.status() == psutil.STATUS_ZOMBIE, 20)


IDLES = """
import sys
from archive_colorizer.executors.cluster import sandbox
sandbox._IDLE_TIMEOUT = 0.2
sandbox.serve(int(sys.argv[1]), "", 0)
"""


def test_it_ends_when_nobody_asks() -> None:
    from multiprocessing import Pipe

    ours, theirs = Pipe()
    with ours, theirs:
        number = theirs.fileno()
        words = [sys.executable, "-c", IDLES, str(number)]
        assert subprocess.run(words, pass_fds=(number,), timeout=60).returncode == 0
