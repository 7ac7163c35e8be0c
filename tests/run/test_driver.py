"""Whole runs in this process and in processes of their own."""

import errno
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from archive_colorizer.errors import DependencyError, ExitCode, ModelError, OutputError
from archive_colorizer.executors import processes, sandbox
from archive_colorizer.executors.allocation import WorkerAllocation
from archive_colorizer.executors.executor import (
    Batch,
    Executor,
    LostBatch,
    SerialExecutor,
    open_executor,
)
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.output.journal import WorkFolder, sweep
from archive_colorizer.records.jobs import Job, RejectedEntry
from archive_colorizer.records.outcomes import Outcome, Provenance, State
from archive_colorizer.run.driver import RunContext, run_jobs
from archive_colorizer.run.plan import plan
from archive_colorizer.run.signals import Stop
from archive_colorizer.run.summary import Summary
from tests.executors.tasks import Copy, scans, sources, workplace
from tests.manifest.test_manifest import PROVENANCE


@dataclass
class Place:
    """An archive and everything that a run over it needs."""

    folder: Path
    runs: int = 0
    watched: list[tuple[str, bool]] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return self.folder / "in"

    @property
    def output(self) -> Path:
        return self.folder / "out"

    def run(
        self,
        executor: Executor | None = None,
        wrap: Callable[[Copy], Any] = lambda copy: copy,
        stop: Stop | None = None,
        extra: tuple[RejectedEntry, ...] = (),
    ) -> Summary:
        (self.output / ".work").mkdir(parents=True, exist_ok=True)
        self.runs += 1
        with Manifest.open(self.output) as manifest:
            adopted = sweep(self.output, manifest)
            work = WorkFolder.open(self.output, f"run-{self.runs}")
            place = workplace(self.output, work.path)
            run = RunContext(
                executor=executor or SerialExecutor(),
                task=wrap(Copy(place)),
                manifest=manifest,
                work=work,
                stop=stop or Stop(),
                provenance=PROVENANCE,
                on_outcome=lambda outcome, settled: self.watched.append((outcome.name, settled)),
                adopted=adopted,
            )
            return run_jobs(plan([*sources(self.root), *extra], manifest, place), run)

    def newest(self, name: str) -> Outcome | None:
        with Manifest.peek(self.output) as manifest:
            return manifest.find_newest(name)

    def results(self) -> set[str]:
        return {
            path.relative_to(self.output).as_posix()
            for path in self.output.rglob("*.jpg")
            if path.is_file()
        }

    def lines(self) -> int:
        return len((self.output / "manifest.jsonl").read_bytes().splitlines())

    def left(self) -> list[Path]:
        return list((self.output / ".work").iterdir())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    one = Place(tmp_path)
    scans(one.root, 30)
    return one


@dataclass
class Dying:
    """An executor that loses every batch with one of `names`, after `made` of its jobs."""

    names: tuple[str, ...]
    made: int = 0
    tries: list[Batch] = field(default_factory=list)
    closed: bool = False

    def map(self, task: Any, batches: Any) -> Iterator[list[Outcome] | LostBatch]:
        for batch in batches:
            self.tries.append(batch)
            if any(job.source.name in self.names for job in batch):
                task(batch[: self.made])
                yield LostBatch(batch, "died")
            else:
                yield task(batch)

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> "Dying":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass
class Late(Dying):
    """Like Dying, but the time of the batch was over, `times` times."""

    times: int = 1

    def map(self, task: Any, batches: Any) -> Iterator[list[Outcome] | LostBatch]:
        for answer in super().map(task, batches):
            if isinstance(answer, LostBatch):
                self.times -= 1
                self.names = self.names if self.times else ()
            yield replace(answer, timeout=True) if isinstance(answer, LostBatch) else answer


@pytest.mark.parametrize("times", [1, 2])
def test_a_file_that_is_late_is_tried_once_more(place: Place, times: int) -> None:
    executor = Late(("box0/photo_000.jpg",), times=times)
    summary = place.run(executor)
    assert (summary.done, summary.failures) == ((30, {}) if times == 1 else (29, {"timeout": 1}))
    tries = [batch for batch in executor.tries if batch[0].source.name == "box0/photo_000.jpg"]
    assert [len(batch) for batch in tries] == [1, 1]


def test_without_worker_processes_the_run_ends_and_says_so(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(sandbox, "_NO_PROCESS_TIMEOUT", 1.0)
    monkeypatch.setattr(processes.subprocess, "Popen", refuse)
    with pytest.raises(DependencyError, match="no worker process could be started for 1 s") as told:
        place.run(open_executor("dask", WorkerAllocation(2, 1)))
    assert told.value.exit_code == ExitCode.DEPENDENCY
    assert not place.results()


def test_everything_is_done_and_recorded(place: Place) -> None:
    (place.root / "bad.jpg").write_bytes(b"bad")
    link = RejectedEntry(str(place.root), "l.jpg", "symlink", "a link")
    summary = place.run(extra=(link,))
    assert (summary.done, summary.skipped, summary.failed) == (30, 1, 1)
    assert summary.failures == {"damaged": 1}
    assert len(place.results()) == 30
    assert place.lines() == 33
    assert len(place.watched) == 32
    assert not place.left()
    assert all(
        (place.output / name).read_bytes().startswith(b"made of") for name in place.results()
    )


def test_again_nothing(place: Place) -> None:
    place.run()
    before = (place.output / "manifest.jsonl").read_bytes()
    place.watched.clear()
    summary = place.run()
    assert (summary.done, summary.failed) == (0, 0)
    assert summary.unchanged[State.DONE] == 30
    assert all(settled for _, settled in place.watched)
    assert (place.output / "manifest.jsonl").read_bytes() == before
    assert not place.left()


def test_new_stamps_are_recorded_once(place: Place) -> None:
    place.run()
    for source in sources(place.root):
        os.utime(source.path, (1, 1))
    assert place.run().unchanged[State.DONE] == 30
    lines = place.lines()
    place.run()
    assert place.lines() == lines


def test_only_the_guilty_one_is_failed(place: Place) -> None:
    guilty = "box1/photo_013.jpg"
    executor = Dying((guilty,))
    summary = place.run(executor)
    assert (summary.done, summary.failed) == (29, 1)
    assert summary.failures == {"worker-lost": 1}
    assert executor.closed
    tries = [batch for batch in executor.tries if guilty in [job.source.name for job in batch]]
    assert [len(batch) for batch in tries] == [4, 1]
    outcome = place.newest(guilty)
    assert outcome is not None
    assert (outcome.state, outcome.reason) == (State.FAILED, "worker-lost")
    assert guilty in (outcome.message or "")
    assert place.run().done == 1
    assert not place.left()


def test_the_innocent_of_a_lost_batch_are_tried_alone(place: Place) -> None:
    scans(place.root, 200)
    guilty = "box2/photo_197.jpg"
    executor = Dying((guilty,))
    summary = place.run(executor)
    assert (summary.done, summary.failed) == (199, 1)
    (together,) = [b for b in executor.tries if len(b) > 1 and guilty in [j.source.name for j in b]]
    after = executor.tries[executor.tries.index(together) + 1 :][: len(together)]
    assert after == [(job,) for job in together]


def test_what_a_lost_worker_had_made_is_adopted(place: Place) -> None:
    guilty = "box1/photo_013.jpg"
    executor = Dying((guilty,), made=1)
    summary = place.run(executor)
    assert (summary.done, summary.failed, summary.adopted) == (30, 0, 1)
    outcome = place.newest(guilty)
    assert outcome is not None
    assert outcome.state is State.DONE
    assert place.run().unchanged[State.DONE] == 30


def test_a_lost_worker_that_works_on_is_found_out(place: Place) -> None:
    """Given up for lost while stopping, and finished all the same."""
    guilty, stop = "box0/photo_003.jpg", Stop()

    class Late(Dying):
        late: Callable[[], object]

        def map(self, task: Any, batches: Any) -> Iterator[list[Outcome] | LostBatch]:
            for batch in batches:
                if batch[0].source.name == guilty:
                    self.late = partial(task, batch)
                    stop.request(signal.SIGTERM)
                    yield LostBatch(batch, "died")
                else:
                    yield task(batch)

        def close(self) -> None:
            self.late()

    executor = Late(())
    summary = place.run(executor, stop=stop)
    assert (summary.done, summary.adopted, summary.interrupted) == (2, 1, signal.SIGTERM)
    assert place.newest(guilty) is not None
    summary = place.run()
    assert (summary.done, summary.failed) == (28, 0)


def test_a_stop_finishes_what_is_in_flight(place: Place) -> None:
    stop = Stop()

    def wrap(copy: Copy) -> Any:
        def task(batch: Batch) -> list[Outcome]:
            if "photo_009" in batch[0].target:
                stop.request(signal.SIGINT)
            return copy(batch)

        return task

    summary = place.run(wrap=wrap, stop=stop)
    assert summary.interrupted == signal.SIGINT
    assert 0 < summary.done < 30
    assert summary.done == len(place.results()) == place.lines() - 1
    assert not place.left()
    assert place.run().done == 30 - summary.done


def run_until(place: Place, last: str) -> Summary:
    """A run whose time is over while it makes `last`."""
    now = 0.0

    def wrap(copy: Copy) -> Any:
        def task(batch: Batch) -> list[Outcome]:
            nonlocal now
            if any(last in job.target for job in batch):
                now = 60.0
            return copy(batch)

        return task

    return place.run(wrap=wrap, stop=Stop(60.0, clock=lambda: now))


def test_the_end_of_the_time_finishes_what_is_in_flight(place: Place) -> None:
    summary = run_until(place, "photo_009")
    assert summary.out_of_time
    assert summary.interrupted is None
    assert 0 < summary.done < 30
    assert summary.done == len(place.results()) == place.lines() - 1
    assert not place.left()
    again = place.run()
    assert again.done == 30 - summary.done
    assert not again.out_of_time


def test_who_ends_with_the_last_file_has_all_done(place: Place) -> None:
    last = sources(place.root)[-1].name
    summary = run_until(place, last)
    assert summary.done == 30
    assert not summary.out_of_time


def test_a_file_whose_worker_died_at_the_end_of_the_time_is_left(place: Place) -> None:
    only = sources(place.root)[-1]
    for one in sources(place.root)[:-1]:
        one.path.unlink()
    dying = Dying((only.name,))
    summary = place.run(executor=dying, stop=Stop(60.0, clock=lambda: 60.0 * len(dying.tries)))
    assert summary.out_of_time
    assert (summary.done, summary.failed) == (0, 0)
    assert place.run().done == 1


def test_a_second_signal_loses_nothing_that_was_made(place: Place) -> None:
    stop = Stop()

    def wrap(copy: Copy) -> Any:
        def task(batch: Batch) -> list[Outcome]:
            outcomes = copy(batch)
            if "photo_009" in batch[0].target:
                stop.request(signal.SIGTERM)
                raise KeyboardInterrupt
            return outcomes

        return task

    summary = place.run(wrap=wrap, stop=stop)
    assert summary.interrupted == signal.SIGTERM
    assert summary.adopted == 1
    assert summary.done == len(place.results()) == place.lines() - 1
    assert not place.left()
    assert place.run().done == 30 - summary.done


def test_an_interrupt_that_nobody_asked_for_is_not_swallowed(place: Place) -> None:
    def wrap(_: Copy) -> Any:
        def task(_: Batch) -> list[Outcome]:
            raise KeyboardInterrupt

        return task

    executor = Dying(())
    with pytest.raises(KeyboardInterrupt):
        place.run(executor, wrap=wrap)
    assert executor.closed


def test_an_output_that_fails_ends_the_run_and_blames_no_file(place: Place) -> None:
    def wrap(copy: Copy) -> Any:
        def task(batch: Batch) -> list[Outcome]:
            if len(place.results()) < 5:
                return copy(batch)
            return [Outcome.from_failure(job, "output", "No space left on device") for job in batch]

        return task

    with pytest.raises(OutputError, match="No space left on device"):
        place.run(wrap=wrap)
    assert place.lines() == 7
    assert b"failed" not in (place.output / "manifest.jsonl").read_bytes()
    summary = place.run()
    assert (summary.done, summary.unchanged[State.DONE]) == (24, 6)


def test_a_strangers_file_fails_only_its_own_source(place: Place) -> None:
    (place.output / "box0").mkdir(parents=True)
    (place.output / "box0" / "photo_000.jpg").write_bytes(b"MY OWN WORK")
    summary = place.run()
    assert (summary.done, summary.failures) == (29, {"target-exists": 1})
    assert (place.output / "box0" / "photo_000.jpg").read_bytes() == b"MY OWN WORK"


def test_a_manifest_that_cannot_grow_loses_no_result(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = Manifest.append, 0

    def full(self: Manifest, records: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise OutputError(os.strerror(errno.ENOSPC))
        real(self, records)

    with monkeypatch.context() as patch:
        patch.setattr(Manifest, "append", full)
        patch.setattr("archive_colorizer.manifest.manifest._MAX_SECONDS", 0.0)
        with pytest.raises(OutputError, match="No space"):
            place.run()
    made = len(place.results())
    assert 0 < made < 30
    assert not list(place.output.rglob("*.tmp"))
    recorded = place.lines() - 1
    summary = place.run()
    assert summary.adopted == made - recorded > 0
    assert summary.done == 30 - made
    assert summary.failed == 0


def test_an_error_of_the_model_ends_the_run(place: Place) -> None:
    def wrap(_: Copy) -> Any:
        def task(_: Batch) -> list[Outcome]:
            raise ModelError("the model is gone")

        return task

    executor = Dying(())
    with pytest.raises(ModelError):
        place.run(executor, wrap=wrap)
    assert executor.closed
    assert not place.left()


def test_it_feeds_lazily(place: Place) -> None:
    taken: list[Job] = []
    scans(place.root, 300)

    def wrap(copy: Copy) -> Any:
        def task(batch: Batch) -> list[Outcome]:
            taken.extend(batch)
            assert len(place.results()) >= len(taken) - len(batch)
            return copy(batch)

        return task

    assert place.run(wrap=wrap).done == 300


def test_outcomes_are_recorded_soon(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archive_colorizer.manifest.manifest._MAX_SECONDS", 0.0)
    seen: list[int] = []

    def wrap(copy: Copy) -> Any:
        def task(batch: Batch) -> list[Outcome]:
            path = place.output / "manifest.jsonl"
            seen.append(path.read_bytes().count(b"\n") if path.exists() else 0)
            return copy(batch)

        return task

    place.run(wrap=wrap)
    assert seen[:4] == [0, 2, 3, 4]


def test_the_opening_comes_first(place: Place) -> None:
    place.run()
    first = (place.output / "manifest.jsonl").read_bytes().splitlines()[0]
    assert b'"provenance"' in first
    assert isinstance(PROVENANCE, Provenance)


def test_deaths_in_real_processes(place: Place) -> None:
    (place.root / "box1" / "kill.jpg").write_bytes(b"kill")
    (place.root / "box1" / "after.jpg").write_bytes(b"kill after")
    summary = place.run(open_executor("dask", WorkerAllocation(2, 1)))
    assert (summary.done, summary.failed) == (31, 1)
    assert summary.failures == {"worker-lost": 1}
    assert len(place.results()) == 31
    assert place.newest("box1/after.jpg") is not None
    assert not place.left()
    assert threading.active_count() < 50


def test_nothing_to_do_starts_no_process(place: Place) -> None:
    place.run()
    executor = open_executor("dask", WorkerAllocation(2, 1))
    summary = place.run(executor)
    assert summary.unchanged[State.DONE] == 30
    assert executor._cluster is None  # type: ignore[attr-defined]


def test_a_change_of_settings_replaces(place: Place) -> None:
    place.run()
    with Manifest.open(place.output) as manifest:
        old = manifest.find_newest("box0/photo_000.jpg")
        assert old is not None
        manifest.append([replace(old, key="other settings")])
    (place.root / "box0" / "photo_000.jpg").write_text("new content")
    assert place.run().done == 1
    assert (place.output / "box0" / "photo_000.jpg").read_bytes() == b"made of new content"
