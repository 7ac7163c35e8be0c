"""One suite for every executor: a new one passes it or is none."""

import os
import resource
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from archive_colorizer.device import VISIBLE_DEVICES
from archive_colorizer.errors import DependencyError, ModelError, UsageError
from archive_colorizer.executors.allocation import WorkerAllocation
from archive_colorizer.executors.cluster.config import Cluster
from archive_colorizer.executors.cluster.local import start_local_cluster
from archive_colorizer.executors.executor import (
    Batch,
    Executor,
    LostBatch,
    open_executor,
)
from archive_colorizer.executors.limits import Limits
from archive_colorizer.executors.processes import CAN_FORK
from archive_colorizer.executors.sandbox_server import can_refuse_memory
from archive_colorizer.records.jobs import Job, Source, Stamp
from archive_colorizer.records.outcomes import Outcome, State

WORKERS = 2


def job(number: int, name: str = "") -> Job:
    return Job(str(number), Source("/in", name or f"{number}.jpg", Stamp(1, 0, 0, 0)), f"{number}")


def batches(count: int) -> Iterator[Batch]:
    return ((job(2 * number), job(2 * number + 1)) for number in range(count))


def note(batch: Batch) -> list[Outcome]:
    """Tells the process in `provider`, and the ways of its environment in `warnings`."""
    words = (os.environ.get("OMP_NUM_THREADS", ""), os.environ.get("VIPS_CONCURRENCY", ""))
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    words += tuple(sorted(signal.Signals(one).name for one in blocked))
    return [
        Outcome(
            key=one.key,
            name=one.source.name,
            state=State.DONE,
            provider=str(os.getpid()),
            warnings=words,
        )
        for one in batch
    ]


def note_slowly(batch: Batch) -> list[Outcome]:
    time.sleep(0.02)
    return note(batch)


def die_of_kill(batch: Batch) -> list[Outcome]:
    if any(one.source.relative == "kill" for one in batch):
        os.kill(os.getpid(), signal.SIGKILL)
    return note_slowly(batch)


def note_and_die_soon(batch: Batch) -> list[Outcome]:
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGKILL)).start()
    return note(batch)


def no_model(_: Batch) -> list[Outcome]:
    raise ModelError("the model is gone")


def sleep_long(batch: Batch) -> list[Outcome]:
    """Tells by a file, which is the source's name, that it has begun."""
    Path(batch[0].source.relative).touch()
    time.sleep(120)
    return note(batch)


def use_memory_again(batch: Batch) -> list[Outcome]:
    """Takes and gives back 8 MiB twenty times; `seconds` counts the pages it was given."""
    bytes(bytearray(8 << 20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        bytearray(8 << 20)
    given = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    return [replace(one, seconds=float(given)) for one in note(batch)]


@pytest.fixture(scope="module", params=["serial", "dask", "cluster"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    workers: int = WORKERS
    cluster: Cluster | None = None
    if request.param == "cluster":
        foreign = request.getfixturevalue("foreign")
        workers, cluster = 0, Cluster(scheduler=foreign.address, insecure=True)
    with open_executor(request.param, WorkerAllocation(workers, 1), cluster=cluster) as one:
        yield one


@pytest.fixture(scope="module")
def dask() -> Iterator[Executor]:
    with open_executor("dask", WorkerAllocation(WORKERS, 3)) as one:
        yield one


def gather(executor: Executor, task: object, given: Iterator[Batch]) -> list[Outcome]:
    answers = list(executor.map(task, given))  # type: ignore[arg-type]
    assert not any(isinstance(answer, LostBatch) for answer in answers)
    return [one for answer in answers if not isinstance(answer, LostBatch) for one in answer]


def test_every_outcome_arrives_once(executor: Executor) -> None:
    outcomes = gather(executor, note, batches(40))
    assert sorted(int(one.key) for one in outcomes) == list(range(80))


def test_no_batches_no_answers(executor: Executor) -> None:
    assert list(executor.map(note, iter(()))) == []


def test_names_of_any_bytes_travel(executor: Executor) -> None:
    name = "caf\udce9\n.jpg"
    (outcome,) = gather(executor, note, iter([(job(1, name),)]))
    assert outcome.name == name


def test_batches_are_pulled_only_when_wanted(executor: Executor) -> None:
    pulled = answered = ahead = 0

    def count() -> Iterator[Batch]:
        nonlocal pulled
        for batch in batches(60):
            pulled += 1
            yield batch

    for _ in executor.map(note_slowly, count()):
        answered += 1
        ahead = max(ahead, pulled - answered)
    assert answered == 60
    assert ahead <= WORKERS + 2


@pytest.mark.skipif(sys.platform != "linux", reason="the setting is glibc's")
def test_memory_is_kept_for_the_next_picture(dask: Executor) -> None:
    outcomes = gather(dask, use_memory_again, iter([(job(1),)]))
    pages = (8 << 20) // resource.getpagesize()
    assert outcomes[0].seconds < 2 * pages, "each picture is given new pages"


def test_what_ends_the_run_is_raised(executor: Executor) -> None:
    with pytest.raises(ModelError, match="the model is gone"):
        list(executor.map(no_model, batches(1)))
    assert len(gather(executor, note, batches(2))) == 4


def test_unknown() -> None:
    with pytest.raises(UsageError, match="serial, dask"):
        open_executor("threads", WorkerAllocation(1, 1))


def test_without_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    from archive_colorizer.executors.cluster import executor as dask_executor

    monkeypatch.setattr(dask_executor, "find_spec", lambda _: None)
    with pytest.raises(DependencyError, match="serial"):
        open_executor("dask", WorkerAllocation(1, 1))


def test_serial_needs_no_dask() -> None:
    import subprocess

    code = (
        "import sys; from archive_colorizer.executors.executor import open_executor;"
        "from archive_colorizer.executors.allocation import WorkerAllocation;"
        "open_executor('serial', WorkerAllocation(1, 1)); print('distributed' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n"


def test_dask_works_in_processes_of_its_own(dask: Executor) -> None:
    outcomes = gather(dask, note_slowly, batches(20))
    assert len({one.provider for one in outcomes} - {str(os.getpid())}) == WORKERS
    for one in outcomes:
        assert one.warnings == ("3", "3", "SIGHUP", "SIGINT", "SIGTERM")


def test_signals_reach_the_parent_again(dask: Executor) -> None:
    gather(dask, note, batches(1))
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert not blocked & {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def test_a_death_costs_no_more_than_what_is_in_flight(dask: Executor) -> None:
    fatal = (job(999, "kill"),)
    given = [*batches(6), fatal, *batches(6)]
    answers = list(dask.map(die_of_kill, iter(given)))
    lost = [answer for answer in answers if isinstance(answer, LostBatch)]
    assert len(answers) == len(given)
    assert fatal in [one.batch for one in lost]
    assert len(lost) <= WORKERS + 2
    assert len(gather(dask, note, batches(10))) == 20


def test_an_answer_that_died_with_its_worker_is_lost_or_given_again(dask: Executor) -> None:
    """A worker can die between the end of its task and the fetching of the answer."""
    answers = []
    for answer in dask.map(note_and_die_soon, batches(4)):
        answers.append(answer)
        time.sleep(1.0)
    assert len(answers) == 4
    assert all(isinstance(one, LostBatch | list) for one in answers)


class DeadFuture:
    """A future whose worker died before its answer was fetched."""

    def __init__(self, status: str, failure: Exception) -> None:
        self.status = status
        self._failure = failure

    def result(self, _timeout: float) -> object:
        raise self._failure

    def exception(self) -> Exception:
        return self._failure


@pytest.mark.parametrize("status", ["finished", "error"])
@pytest.mark.parametrize(
    "failure",
    ["KilledWorker", "FutureCancelledError", "CommClosedError", "KeyError", "TimeoutError"],
)
def test_whatever_fetching_an_answer_raises_the_batch_is_lost(status: str, failure: str) -> None:
    from distributed.client import FutureCancelledError
    from distributed.comm import CommClosedError
    from distributed.scheduler import KilledWorker

    from archive_colorizer.executors.cluster.client import fetch_result

    failures = {
        "KilledWorker": lambda: KilledWorker("task", None, 1),
        "FutureCancelledError": lambda: FutureCancelledError("key", "lost"),
        "CommClosedError": lambda: CommClosedError("closed"),
        "KeyError": lambda: KeyError("key"),
        "TimeoutError": lambda: TimeoutError("late"),
    }
    expected = failures[failure]()
    assert fetch_result(DeadFuture(status, expected), 1.0) is expected


def note_when(batch: Batch) -> list[Outcome]:
    """The message of each outcome: begun, ended, bytes that this process may have."""
    begun = time.monotonic()
    time.sleep(0.3)
    most = resource.getrlimit(resource.RLIMIT_DATA)[0]
    return [replace(one, message=f"{begun} {time.monotonic()} {most}") for one in note(batch)]


def test_large_pictures_get_out_of_each_others_way() -> None:
    share = 1 << 30
    needs = [0, 0, share + 1, 2 * share, 0, 9 * share]
    given = [(replace(job(number), memory=need),) for number, need in enumerate(needs)]
    with open_executor("dask", WorkerAllocation(2, 1), Limits(memory=share)) as executor:
        outcomes = gather(executor, note_when, iter(given))
    told = {int(one.key): [float(word) for word in (one.message or "").split()] for one in outcomes}
    assert len(told) == len(needs)
    for large in (2, 3, 5):
        begun, ended, most = told[large]
        others = [told[other] for other in told if other != large]
        assert all(end <= begun or ended <= begin for begin, end, _ in others)
        if can_refuse_memory():
            assert share < most <= 2 * share
            assert told[4][2] < share


def meet(batch: Batch) -> list[Outcome]:
    """Waits until two batches are in this process at once."""
    _BOTH.wait(60)
    return note_place(batch)


_BOTH = threading.Barrier(2)


def note_place(batch: Batch) -> list[Outcome]:
    """Tells the card that the process sees, and its number."""
    time.sleep(0.05)
    seen = os.environ.get(VISIBLE_DEVICES)
    return [replace(one, message=f"{os.getpid()} {seen}") for one in note(batch)]


def die_or_note(batch: Batch) -> list[Outcome]:
    if batch[0].source.relative == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    return note_place(batch)


def test_hands_of_one_process_work_at_once() -> None:
    with open_executor("dask", WorkerAllocation(1, 1, 2), Limits(60.0)) as executor:
        outcomes = gather(executor, meet, batches(6))
    assert len(outcomes) == 12
    assert len({one.provider for one in outcomes}) == 1


def test_each_process_sees_its_own_card_and_sees_it_again_after_a_death() -> None:
    before = os.environ.get(VISIBLE_DEVICES)
    with open_executor("dask", WorkerAllocation(2, 1, 2, ("GPU-a", "GPU-b"))) as executor:
        first = by_process(executor)
        answers = list(executor.map(die_or_note, iter([(job(1, "kill"),)])))
        second = by_process(executor)
    assert any(isinstance(answer, LostBatch) for answer in answers)
    for told in (first, second):
        assert sorted(told.values()) == ["GPU-a", "GPU-b"]
    assert first != second
    assert os.environ.get(VISIBLE_DEVICES) == before


def by_process(executor: Executor) -> dict[str, str]:
    """What two processes see; a new one takes its time to come."""
    told: dict[str, str] = {}

    def until_both() -> Iterator[Batch]:
        end = time.monotonic() + 60
        while len(told) < 2 and time.monotonic() < end:
            yield (job(0),)

    for answer in executor.map(note_place, until_both()):
        assert not isinstance(answer, LostBatch)
        told.update(dict([(answer[0].message or "").split()]))
    return told


def test_a_hang_in_one_hand_is_told_of_that_one_only() -> None:
    def given() -> Iterator[Batch]:
        yield (job(1, "sleep"),)
        yield from batches(6)

    with open_executor("dask", WorkerAllocation(1, 1, 2), Limits(3.0)) as executor:
        answers = list(executor.map(sleep_or_note, given()))
    lost = [answer for answer in answers if isinstance(answer, LostBatch)]
    assert [one.timeout for one in lost if one.batch[0].source.relative == "sleep"] == [True]
    assert not any(one.timeout for one in lost if one.batch[0].source.relative != "sleep")
    assert len(answers) == 7


def sleep_or_note(batch: Batch) -> list[Outcome]:
    time.sleep(60 if batch[0].source.relative == "sleep" else 0.02)
    return note(batch)


def test_a_death_alone_costs_only_itself(dask: Executor) -> None:
    (answer,) = dask.map(die_of_kill, iter([(job(1, "kill"),)]))
    assert isinstance(answer, LostBatch)
    assert len(gather(dask, die_of_kill, batches(5))) == 10


def test_deaths_in_a_row_cost_neither_others_nor_a_worker() -> None:
    """A cluster of Dask closes the successor of a worker when that dies again too soon."""
    import dask

    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "50ms"}),
        open_executor("dask", WorkerAllocation(2, 1)) as executor,
    ):
        for _ in range(4):
            (answer,) = executor.map(die_of_kill, iter([(job(1, "kill"),)]))
            assert isinstance(answer, LostBatch)
            assert not answer.worker_left
            assert len({one.provider for one in gather(executor, note_slowly, batches(8))}) == 2


def test_two_photographs_start_no_more_processes_than_they_need() -> None:
    before = len(psutil.Process().children(recursive=True))
    with open_executor("dask", WorkerAllocation(16, 1)) as executor:
        gather(executor, note_slowly, iter([(job(1),), (job(2),)]))
        started = len(psutil.Process().children(recursive=True)) - before
    assert started == 3 if CAN_FORK else 2


def test_a_clock_that_jumps_loses_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    from distributed import scheduler

    with open_executor("dask", WorkerAllocation(1, 1)) as executor:
        gather(executor, note, batches(1))
        for hours in (2, -4):
            jumped = time.time() + hours * 3600
            monkeypatch.setattr(scheduler, "time", lambda jumped=jumped: jumped)
            time.sleep(1.5)  # A heartbeat, and a look at it.
            assert len(gather(executor, note, batches(2))) == 4


def test_one_that_ends_leaves_the_processes_of_another_alone() -> None:
    with open_executor("dask", WorkerAllocation(1, 1)) as stays:
        (first,) = gather(stays, note, iter([(job(1),)]))
        with open_executor("dask", WorkerAllocation(1, 1)) as ends:
            gather(ends, note, batches(1))
            os.kill(int(first.provider or ""), signal.SIGKILL)
            # The one in its place is younger than the other executor.
            younger = _answered(stays)
            assert younger != first.provider
        assert _answered(stays) == younger


def _answered(executor: Executor) -> str | None:
    while True:
        (answer,) = executor.map(note, iter([(job(1),)]))
        if not isinstance(answer, LostBatch):
            return answer[0].provider


def listeners(process: psutil.Process) -> dict[str, str]:
    """By socket, the addresses that the process and its children listen on, from /proc."""
    nodes = {}
    for path, family in (("/proc/net/tcp", socket.AF_INET), ("/proc/net/tcp6", socket.AF_INET6)):
        for line in Path(path).read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A":
                raw = words[1].split(":")[0]
                parts = [int(raw[i : i + 8], 16) for i in range(0, len(raw), 8)]
                nodes[words[9]] = socket.inet_ntop(family, struct.pack(f"<{len(parts)}I", *parts))
    found = {}
    for one in (process, *process.children(recursive=True)):
        for link in Path(f"/proc/{one.pid}/fd").iterdir():
            try:
                place = str(link.readlink())
            except FileNotFoundError:
                continue
            if place.startswith("socket:[") and place[8:-1] in nodes:
                found[place] = nodes[place[8:-1]]
    return found


def test_it_listens_nowhere(dask: Executor) -> None:
    others = listeners(psutil.Process())  # of a browser's driver, perhaps
    with open_executor("dask", WorkerAllocation(1, 1)) as alone:
        gather(alone, note, batches(1))
        assert listeners(psutil.Process()).keys() == others.keys()


@pytest.mark.parametrize("task", [note, sleep_long])
def test_close_leaves_no_process(task: object, tmp_path: Path) -> None:
    before = {one.pid for one in psutil.Process().children(recursive=True)}
    executor = open_executor("dask", WorkerAllocation(1, 1))
    begun = tmp_path / "begun"
    answers = executor.map(task, iter([(job(1, str(begun)),)]))  # type: ignore[arg-type]
    if task is note:
        next(answers)
    else:
        leave_when(begun, answers)
    executor.close()
    executor.close()
    left = [
        one
        for one in psutil.Process().children(recursive=True)
        if one.pid not in before and "resource_tracker" not in " ".join(one.cmdline())
    ]
    assert not left


def leave_when(begun: Path, answers: Iterator[object]) -> None:
    """Wait for an answer that will not come, until interrupted as by a second signal."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def watch() -> None:
        end = time.monotonic() + 100
        while not begun.exists() and time.monotonic() < end:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGALRM)

    before = signal.signal(signal.SIGALRM, interrupt)
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            next(answers)
    finally:
        watcher.join()
        signal.signal(signal.SIGALRM, before)
    assert begun.exists()


@pytest.mark.skipif(not CAN_FORK, reason="workers are forked on Linux only")
def test_workers_are_forked_from_one_process_that_is_not_the_run() -> None:
    with open_executor("dask", WorkerAllocation(2, 1)) as executor:
        outcomes = gather(executor, note_origin, batches(8))
    told = {tuple((one.message or "").split()) for one in outcomes}
    parents = {parent for parent, _ in told}
    assert len(parents) == 1
    assert parents != {str(os.getpid())}
    assert all("serve_forks" in line and __name__ in line for _, line in told)


def note_origin(batch: Batch) -> list[Outcome]:
    line = Path("/proc/self/cmdline").read_bytes().replace(b"\0", b"").replace(b" ", b"")
    said = f"{os.getppid()} {line.decode()}"
    return [replace(one, message=said) for one in note(batch)]


def test_what_is_set_of_dask_is_what_it_knows() -> None:
    """A misspelled setting would be taken, and change nothing."""
    import dask
    import distributed  # noqa: F401 (brings the settings and their defaults)

    from archive_colorizer.executors.cluster.local import SETTINGS

    unknown = [one for one in SETTINGS if dask.config.get(one, "unknown") == "unknown"]
    assert not unknown


def test_without_proc_the_queue_says_what_is_missing(monkeypatch):
    def fail(*_, **__):
        raise psutil.NoSuchProcess(os.getpid())

    monkeypatch.setattr("distributed.SpecCluster", fail)
    with pytest.raises(DependencyError, match="/proc is there"), start_local_cluster(1):
        pass
