"""Finished photographs on their way while others are worked on."""

import pickle
import threading
import time
from collections.abc import Sequence
from functools import partial

import pytest

from archive_colorizer.errors import OutputError
from archive_colorizer.executors.allocation import WorkerAllocation
from archive_colorizer.executors.limits import Limits
from archive_colorizer.executors.sandbox import SandboxPool, SandboxSettings
from archive_colorizer.executors.sandbox_request import SandboxCrash, SandboxRequest
from archive_colorizer.executors.sandbox_server import run_with_limits
from archive_colorizer.output.deliver import deliver_all
from archive_colorizer.output.deliveries import DeliveryResult, PendingResult
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Job, JobContext, Source, Stamp
from archive_colorizer.records.outcomes import State
from archive_colorizer.restore import delivery_queue, photo
from archive_colorizer.restore.photo import restore_photos
from tests.model.networks import constant_model, digest
from tests.restore.studio import grey

NAMES = ("a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg")


class Seen:
    """In the place of `deliver_all`: who delivered how many, and how many at once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.at_once = self.most = 0
        self.calls: list[tuple[str, int]] = []

    def __call__(self, parcels: Sequence[PendingResult], place: JobContext) -> list[DeliveryResult]:
        with self.lock:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            self.calls.append((threading.current_thread().name, len(parcels)))
        try:
            return deliver_all(parcels, place)
        finally:
            with self.lock:
                self.at_once -= 1

    @property
    def behind(self) -> int:
        return sum(name.startswith("delivery") for name, _ in self.calls)


@pytest.fixture
def seen(monkeypatch):
    """Each photograph is enough for a delivery."""
    one = Seen()
    monkeypatch.setattr(delivery_queue, "_BATCH_BYTES", 1)
    monkeypatch.setattr(delivery_queue, "deliver_all", one)
    return one


def batch(studio, names=NAMES, **settings):
    for name in names:
        studio.put(name, grey("rocket"), quality=90)
    place = studio.workplace(constant_model(studio.models / "m.onnx"), **settings)
    return tuple(studio.job(name) for name in names), place


def no_courier_is_left():
    return not any(one.name.startswith("delivery") for one in threading.enumerate())


def test_the_next_photograph_is_worked_on_while_one_is_delivered(studio, monkeypatch):
    """Each delivery but the last waits until the next photograph has been colored."""
    jobs, place = batch(studio, NAMES[:3])
    colored = threading.Semaphore(0)
    waited = []
    color = photo.colorize_photo

    def recolor(*given):
        colored.release()
        return color(*given)

    def deliver(parcels, place):
        if len(waited) < 2:
            waited.append(colored.acquire(timeout=30))
        return deliver_all(parcels, place)

    def first(*given):
        monkeypatch.setattr(photo, "colorize_photo", recolor)
        return color(*given)

    monkeypatch.setattr(delivery_queue, "_BATCH_BYTES", 1)
    monkeypatch.setattr(delivery_queue, "deliver_all", deliver)
    monkeypatch.setattr(photo, "colorize_photo", first)
    outcomes = restore_photos(jobs, place)
    assert waited == [True, True]
    assert [one.state for one in outcomes] == [State.DONE] * 3
    assert no_courier_is_left()


def test_whoever_is_told_as_done_has_its_name_and_its_note(studio, seen):
    jobs, place = batch(studio)
    outcomes = restore_photos(jobs, place)
    assert sorted(one.name for one in outcomes) == list(NAMES)
    assert all(one.target_sha256 == digest(studio.output / one.name) for one in outcomes)
    assert all(one.target_stamp is not None for one in outcomes)
    (journal,) = studio.work.glob("*.jsonl")
    assert journal.read_bytes().count(b"\n") == len(NAMES)
    assert seen.most == 1
    assert seen.behind == len(NAMES) - 1
    assert not list(studio.work.glob("*.tmp"))


def test_one_photograph_alone_needs_no_thread(studio, seen):
    jobs, place = batch(studio, NAMES[:1])
    restore_photos(jobs, place)
    assert seen.calls == [("MainThread", 1)]


def test_small_ones_go_together(studio, monkeypatch):
    seen = Seen()
    monkeypatch.setattr(delivery_queue, "deliver_all", seen)
    jobs, place = batch(studio)
    restore_photos(jobs, place)
    assert seen.calls == [("MainThread", len(NAMES))]


@pytest.mark.parametrize("settings", [{"paranoid": True}, {}], ids=["looked at", "large"])
def test_what_takes_memory_is_delivered_before_other_work(studio, seen, monkeypatch, settings):
    if not settings:
        monkeypatch.setattr(delivery_queue, "_MAX_BACKGROUND_BYTES", 1000)
    jobs, place = batch(studio, **settings)
    outcomes = restore_photos(jobs, place)
    assert [one.state for one in outcomes] == [State.DONE] * len(NAMES)
    assert seen.calls == [("MainThread", 1)] * len(NAMES)


def test_without_a_thread_all_are_delivered_all_the_same(studio, seen, monkeypatch):
    class Refused(delivery_queue.ThreadPoolExecutor):
        def submit(self, *_given):
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(delivery_queue, "ThreadPoolExecutor", Refused)
    jobs, place = batch(studio)
    outcomes = restore_photos(jobs, place)
    assert [one.state for one in outcomes] == [State.DONE] * len(NAMES)
    assert {name for name, _ in seen.calls} == {"MainThread"}
    assert sum(count for _, count in seen.calls) == len(NAMES)


def test_what_goes_wrong_on_the_way_is_told_of_that_photograph_alone(studio, seen):
    jobs, place = batch(studio)
    (studio.output / "b.jpg").write_bytes(b"somebody's")
    outcomes = {one.name: one for one in restore_photos(jobs, place)}
    assert outcomes.keys() == set(NAMES)
    assert outcomes.pop("b.jpg").reason == "target-exists"
    assert {one.state for one in outcomes.values()} == {State.DONE}
    assert (studio.output / "b.jpg").read_bytes() == b"somebody's"


@pytest.mark.parametrize(
    ("error", "reason"), [(OutputError("full"), "output"), (ValueError("odd"), "bug")]
)
def test_what_a_delivery_raises_is_told_of_all_in_it(studio, monkeypatch, error, reason):
    def refuse(_parcels, _place):
        raise error

    monkeypatch.setattr(delivery_queue, "_BATCH_BYTES", 1)
    monkeypatch.setattr(delivery_queue, "deliver_all", refuse)
    jobs, place = batch(studio)
    outcomes = restore_photos(jobs, place)
    assert [one.reason for one in outcomes] == [reason] * len(NAMES)


def test_an_interrupt_leaves_nothing_half_way(studio, seen, monkeypatch):
    jobs, place = batch(studio)
    color, count = photo.colorize_photo, iter(range(5))

    def interrupted(*given):
        if next(count) == 3:
            raise KeyboardInterrupt
        return color(*given)

    monkeypatch.setattr(photo, "colorize_photo", interrupted)
    with pytest.raises(KeyboardInterrupt):
        restore_photos(jobs, place)
    assert no_courier_is_left()
    assert studio.files() == set(NAMES[:3])
    assert not list(studio.work.glob("*.tmp"))


def hang(names: str, hangs: str, _set_deadline: object) -> int:
    """Restore without pictures, with a disk that hangs when `hangs` is delivered."""

    def deliver(parcels: Sequence[PendingResult], _: JobContext) -> list[DeliveryResult]:
        if parcels[0].job.target == hangs:
            time.sleep(60)
        return [result.outcome for result in parcels]

    delivery_queue.deliver_all, delivery_queue._BATCH_BYTES = deliver, 1  # type: ignore[assignment, misc]
    photo._restore = lambda job, _context, draft: PendingResult(b"1", job, draft)  # type: ignore[assignment]
    jobs = tuple(Job(one, Source("/in", one, Stamp(1, 0, 0, 0)), one) for one in names)
    place = JobContext("/out", "/out", Recipe(), "", "")
    task = partial(restore_photos, context=place)
    return len(run_with_limits(_set_deadline, jobs, task, Limits(2.0)))  # type: ignore[arg-type]


@pytest.mark.parametrize("hangs", ["", "a", "c", "e"])
def test_a_delivery_that_hangs_is_ended_when_the_time_is_over(hangs):
    pool = SandboxPool(SandboxSettings(WorkerAllocation(1)))
    try:
        answer = pool.run(SandboxRequest(pickle.dumps(partial(hang, "abcde", hangs)), 50.0))
    finally:
        pool.end()
    if hangs:
        assert answer == SandboxCrash("its time was over", timeout=True)
    else:
        assert pickle.loads(answer) == 5  # noqa: S301
