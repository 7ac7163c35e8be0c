"""What a worker may take, and the watch inside it."""

import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.device import has_driver
from archive_colorizer.executors.executor import Batch
from archive_colorizer.executors.limits import NO_LIMITS, Limits, has_room
from archive_colorizer.executors.worker_guard import has_timed_out, run_with_limits
from archive_colorizer.records.jobs import Job, Shot, ShotPart, Source, Stamp


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


def test_who_is_in_time_leaves_no_note(tmp_path: Path) -> None:
    note = tmp_path / "note"

    def task(_: Batch) -> list[object]:
        assert note.exists()
        return []

    assert run_with_limits(batch(1), task, Limits(60.0), str(note)) == []  # type: ignore[arg-type]
    assert not note.exists()
    assert not has_timed_out(str(note))


def test_a_note_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    note = str(tmp_path / "missing" / "note")
    assert run_with_limits(batch(1), lambda _: [], Limits(60.0), note) == []
    assert not has_timed_out(note)


HANGS = """
import ctypes, sys
from archive_colorizer.executors.worker_guard import run_with_limits
from archive_colorizer.executors.limits import Limits
from tests.executors.test_limits import batch
# PyDLL keeps the interpreter's lock: no other thread of Python can run meanwhile.
run_with_limits(batch(1), lambda _: ctypes.PyDLL(None).sleep(100), Limits(0.2), sys.argv[1])
"""


def test_code_that_hangs_with_the_interpreters_lock_is_ended(tmp_path: Path) -> None:
    note = tmp_path / "note"
    done = subprocess.run([sys.executable, "-c", HANGS, str(note)], timeout=60)
    assert done.returncode == 1
    assert has_timed_out(str(note))


SEVERAL = """
import sys, threading, time
from archive_colorizer.executors.worker_guard import run_with_limits
from archive_colorizer.executors.limits import Limits
from tests.executors.test_limits import batch
times = {"short": (0.3, 0.0), "hangs": (1.0, 60.0), "long": (30.0, 60.0), "later": (30.0, 0.5)}
def work(name):
    given, takes = times[name]
    run_with_limits(batch(1), lambda _: time.sleep(takes), Limits(given), sys.argv[1] + name)
threads = [threading.Thread(target=work, args=(name,)) for name in times]
for one in threads:
    one.start()
for one in threads:
    one.join()
"""


def test_of_several_threads_only_the_one_whose_time_is_over_is_told_of(tmp_path: Path) -> None:
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", SEVERAL, f"{tmp_path}/"], timeout=60)
    assert done.returncode == 1
    assert time.monotonic() - begun < 30
    told = {one.name: has_timed_out(str(one)) for one in tmp_path.iterdir()}
    assert told == {"hangs": True, "long": False}


HANGS_LATE = """
import sys, time
from archive_colorizer.executors.worker_guard import run_with_limits
from archive_colorizer.executors.limits import Limits
from tests.executors.test_limits import batch
def task(jobs):
    for number, _ in enumerate(jobs):
        time.sleep(0.3 if number < 5 else 100)
        print(number, flush=True)
run_with_limits(batch(60), task, Limits(1.0), sys.argv[1])
"""


def test_each_file_of_a_batch_has_its_own_time(tmp_path: Path) -> None:
    """Not the batch's 60 seconds: the sixth hangs, and the five before it were in time."""
    note = tmp_path / "note"
    words = [sys.executable, "-c", HANGS_LATE, str(note)]
    done = subprocess.run(words, timeout=30, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout.split() == ["0", "1", "2", "3", "4"]
    assert has_timed_out(str(note))


EATS = """
import sys
from archive_colorizer.executors.worker_guard import run_with_limits
from archive_colorizer.executors.limits import Limits
from tests.executors.test_limits import batch
def eat(_):
    try:
        return bytearray(2 << 30)
    except MemoryError:
        sys.exit(42)
run_with_limits(batch(1), eat, Limits(memory=1 << 30), "note")
"""


@pytest.mark.skipif(
    not hasattr(resource, "RLIMIT_DATA") or has_driver(),
    reason="beside a GPU only the nanny watches",
)
def test_who_wants_too_much_memory_is_refused() -> None:
    assert subprocess.run([sys.executable, "-c", EATS], timeout=60).returncode == 42
