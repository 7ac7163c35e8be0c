"""What a worker may take, and what it tells its parent of time."""

import resource
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.device import has_driver
from archive_colorizer.executors.executor import Batch
from archive_colorizer.executors.limits import NO_LIMITS, Limits, has_room
from archive_colorizer.executors.sandbox_server import run_with_limits
from archive_colorizer.records.jobs import Job, Shot, ShotPart, Source, Stamp
from archive_colorizer.records.outcomes import Outcome


def batch(count: int, frames: int = 0) -> Batch:
    part = ShotPart(Shot(0, frames), 0, frames) if frames else None
    source = Source("/in", "a.jpg", Stamp(1, 0, 0, 0))
    return tuple(Job(str(number), source, "a.jpg", part=part) for number in range(count))


@pytest.mark.parametrize(
    ("jobs", "seconds"),
    [(batch(1), 300), (batch(8), 2400), (batch(1, 1), 300), (batch(1, 240), 7200)],
)
def test_a_batch_has_as_many_times_the_seconds_as_files(jobs: Batch, seconds: float) -> None:
    assert Limits(300.0).compute_seconds(jobs) == seconds
    assert NO_LIMITS.compute_seconds(jobs) == 0


def test_without_end_is_a_number_that_a_timer_takes() -> None:
    assert Limits(float("inf")).compute_seconds(batch(8)) < 1e7


def test_workers_share_the_machine_and_none_gets_too_little_to_work() -> None:
    assert NO_LIMITS.get_worker_memory(100 << 30, 8) == 10 << 30
    assert NO_LIMITS.get_worker_memory(4 << 30, 8) == 2 << 30
    assert Limits(memory=123).get_worker_memory(100 << 30, 8) == 123


def weighing(*needs: int) -> Batch:
    return tuple(
        replace(one, memory=need) for one, need in zip(batch(len(needs)), needs, strict=True)
    )


@pytest.mark.parametrize(
    ("needs", "shares"),
    [((0,), 1), ((100,), 1), ((101,), 2), ((5, 250, 0), 3), ((9999,), 4), ((), 1)],
)
def test_a_batch_takes_the_shares_of_its_largest_picture(
    needs: tuple[int, ...], shares: int
) -> None:
    assert Limits(memory=100).count_shares(weighing(*needs), workers=4) == shares


@given(st.lists(st.integers(1, 4), max_size=60))
def test_what_is_out_at_once_has_room_and_all_get_out(shares: list[int]) -> None:
    workers, taken, sent = 4, [], 0
    waiting = list(shares)
    while waiting or taken:
        if waiting and len(taken) < workers + 2 and has_room(waiting[0], taken, workers):
            taken.append(waiting.pop(0))
            sent += 1
            assert sum(taken) <= workers or max(taken) == 1
        else:
            taken.pop(0)
    assert sent == len(shares)


def test_each_file_of_a_batch_has_its_own_time() -> None:
    told: list[float] = []

    def task(jobs: Batch) -> list[Outcome]:
        for number, _ in enumerate(jobs, start=1):
            assert len(told) == number
        return []

    jobs = (*batch(2), *batch(1, 240))
    assert run_with_limits(told.append, jobs, task, Limits(60.0)) == []
    assert told == [60.0, 60.0, 1440.0]


def test_without_limits_nobody_is_told_of_any_time() -> None:
    told: list[float] = []
    assert run_with_limits(told.append, batch(2), lambda jobs: [*jobs][2:], NO_LIMITS) == []  # type: ignore[misc]
    assert not told


EATS = """
import sys
from archive_colorizer.executors.sandbox_server import run_with_limits
from archive_colorizer.executors.limits import Limits
from tests.executors.test_limits import batch
def eat(_):
    try:
        return bytearray(2 << 30)
    except MemoryError:
        sys.exit(42)
run_with_limits(print, batch(1), eat, Limits(memory=1 << 30))
"""


@pytest.mark.skipif(
    not hasattr(resource, "RLIMIT_DATA") or has_driver(),
    reason="beside a GPU only the parent watches",
)
def test_who_wants_too_much_memory_is_refused() -> None:
    assert subprocess.run([sys.executable, "-c", EATS], timeout=60).returncode == 42
