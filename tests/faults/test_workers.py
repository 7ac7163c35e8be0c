"""A worker process breaks: its file fails alone, and every other file is restored."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from archive_colorizer.executors.allocation import WorkerAllocation
from archive_colorizer.executors.executor import Batch, LostBatch, open_executor
from archive_colorizer.executors.limits import Limits
from archive_colorizer.records.outcomes import Outcome
from tests.executors.tasks import scans
from tests.faults.archive import Archive
from tests.run.test_driver import Dying, Place


@pytest.mark.usefixtures("faults")
def test_a_reader_that_crashes_eats_memory_or_cannot_read(archive: Archive) -> None:
    archive.put("a", "abort", "b", "eat", "c", "eio", "d")
    before = archive.originals()
    summary = archive.run("dask", max_memory=1.0)
    assert archive.reasons() == {
        **dict.fromkeys("abcd", "done"),
        "abort": "worker-lost",
        "eat": "memory",
        "eio": "unreadable",
    }
    assert (summary.done, summary.failed) == (4, 3)
    archive.assert_clean()
    assert archive.originals() == before


@pytest.mark.slow
@pytest.mark.usefixtures("faults")
def test_every_way_to_die_at_once(archive: Archive) -> None:
    deadly = ("abort", "segfault", "killed", "hang")
    archive.put(*deadly, "eat", "eio", *(f"fine-{number:02}" for number in range(40)))
    summary = archive.run("dask", max_memory=1.0, timeout=30.0)
    assert (summary.done, summary.failed) == (40, 6)
    assert summary.failures == {"worker-lost": 3, "timeout": 1, "memory": 1, "unreadable": 1}
    archive.assert_clean()


def test_a_file_that_hangs_is_stopped(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (scans(place.root, 9) / "box1" / "hangs.jpg").write_bytes(b"sleep")
    begun = time.monotonic()
    summary = place.run(open_executor("dask", WorkerAllocation(2, 1), Limits(2.0)))
    assert time.monotonic() - begun < 60, "it slept to its end"
    assert (summary.done, summary.failures) == (9, {"timeout": 1})
    outcome = place.newest("box1/hangs.jpg")
    assert outcome is not None
    assert outcome.message == "box1/hangs.jpg: not finished after 2 s and stopped"
    assert not place.left()


class Hanging(Dying):
    """An executor that stops every batch with one of `names` when its time is over."""

    def map(self, task: Any, batches: Any) -> Iterator[list[Outcome] | LostBatch]:
        for answer in super().map(task, batches):
            lost = isinstance(answer, LostBatch)
            yield LostBatch(answer.batch, "too late", timeout=True) if lost else answer


def test_the_others_of_a_batch_that_hangs_are_tried_alone(tmp_path: Path) -> None:
    place = Place(tmp_path)
    scans(place.root, 200)
    guilty = "box2/photo_197.jpg"
    executor = Hanging((guilty,))
    summary = place.run(executor)
    assert (summary.done, summary.failures) == (199, {"timeout": 1})
    tries: list[Batch] = [
        one for one in executor.tries if guilty in [job.source.name for job in one]
    ]
    assert [len(one) for one in tries] == [len(tries[0]), 1]
    assert len(tries[0]) > 1
