"""Jobs in batches."""

from collections.abc import Iterator
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.executors.executor import Batch
from archive_colorizer.records.jobs import Job, Shot, ShotPart, Source, Stamp
from archive_colorizer.run.batches import (
    MAX_JOBS,
    MAX_MEMORY,
    MAX_SOURCE_BYTES,
    TARGET_SECONDS,
    Throughput,
    split_into_batches,
)

JPEG = 6 << 20
"""Bytes of a photograph of 12 megapixels."""


def job(number: int, size: int, memory: int = 0) -> Job:
    source = Source("/in", f"{number}.jpg", Stamp(size, 0, 0, 0))
    return Job(str(number), source, f"{number}.jpg", memory=memory)


def pace_of(seconds: float, size: int = 1000, flying: int = 3) -> Throughput:
    """As when 3 other batches are out, which two workers have."""
    pace = Throughput()
    pace.record(seconds, size)
    pace.in_flight = flying
    return pace


def taken(sizes: Iterator[Batch], jobs: int) -> list[int]:
    """The lengths of batches until so many jobs are taken."""
    found: list[int] = []
    while sum(found) < jobs:
        found.append(len(next(sizes)))
    return found


@given(
    sizes=st.lists(st.integers(0, 2 * MAX_SOURCE_BYTES) | st.integers(0, 100_000), max_size=120),
    memory=st.lists(st.integers(0, 2 * MAX_MEMORY), min_size=1, max_size=5),
    seconds=st.floats(0, 3),
    flying=st.integers(0, 70),
)
def test_all_in_order_and_none_too_big(
    sizes: list[int], memory: list[int], seconds: float, flying: int
) -> None:
    jobs = [job(i, size, memory[i % len(memory)]) for i, size in enumerate(sizes)]
    pace = pace_of(seconds, 50_000, flying)
    batches = list(split_into_batches(jobs, pace))
    assert [one for batch in batches for one in batch] == jobs
    for batch in batches:
        assert 0 < len(batch) <= MAX_JOBS
        if len(batch) > 1:
            assert sum(one.source.stamp.size for one in batch) <= MAX_SOURCE_BYTES
            assert sum(pace.estimate_seconds(one) for one in batch) <= TARGET_SECONDS
            assert max(one.memory for one in batch) <= MAX_MEMORY


def test_a_small_archive_is_shared_evenly_and_a_large_one_in_full_batches() -> None:
    jobs = (job(i, 1000) for i in range(4000))
    sizes = [len(batch) for batch in split_into_batches(jobs, pace_of(0.001))]
    assert sizes[:4] == [1] * 4
    fullest = sizes.index(MAX_JOBS)
    assert sizes[:fullest] == sorted(sizes[:fullest])
    assert MAX_JOBS in sizes


def test_photographs_of_megabytes_go_together_when_they_are_quick() -> None:
    batches = split_into_batches((job(i, JPEG) for i in range(400)), pace_of(0.24, JPEG))
    sizes = taken(batches, 300)
    assert sizes[-20:] == [int(TARGET_SECONDS / 0.24)] * 20


@given(st.integers(0, 300), st.integers(0, 40), st.floats(0.0005, 0.6))
def test_the_last_batches_are_shared_evenly(count: int, flying: int, seconds: float) -> None:
    pace = pace_of(seconds, flying=flying)
    left = count
    for batch in split_into_batches((job(i, 1000) for i in range(count)), pace):
        if left <= flying:
            assert len(batch) == 1
        left -= len(batch)
    assert left == 0


def test_the_end_is_seen_before_the_last_batches_are_sent() -> None:
    sizes = [
        len(one)
        for one in split_into_batches((job(i, JPEG) for i in range(200)), pace_of(0.2, JPEG))
    ]
    assert max(sizes) == MAX_SOURCE_BYTES // JPEG < TARGET_SECONDS / 0.2
    assert sizes[-4:] == [1] * 4
    assert sizes[-12:] == sorted(sizes[-12:], reverse=True)


def test_the_first_batch_needs_one_job_only() -> None:
    seen = []

    def jobs() -> Iterator[Job]:
        for number in range(100):
            seen.append(number)
            yield job(number, 1)

    next(split_into_batches(jobs(), pace_of(0.001)))
    assert seen == [0]


def test_few_jobs_are_looked_at_ahead_of_those_that_are_sent() -> None:
    seen = []

    def jobs() -> Iterator[Job]:
        for number in range(5000):
            seen.append(number)
            yield job(number, 1)

    sent = 0
    for batch in split_into_batches(jobs(), pace_of(0.0001, flying=200)):
        sent += len(batch)
        assert len(seen) - sent <= 256
    assert sent == 5000


def test_nothing_goes_together_before_anything_is_known() -> None:
    batches = list(split_into_batches((job(i, 1000) for i in range(100)), Throughput()))
    assert [len(one) for one in batches] == [1] * 100


def test_a_part_of_a_film_goes_alone() -> None:
    part = ShotPart(Shot(0, 10), 0, 10)
    mixed = [
        replace(job(i, 10), part=part if i % 3 == 0 and i >= 300 else None) for i in range(400)
    ]
    batches = list(split_into_batches(mixed, pace_of(0.0001, flying=0)))
    assert max(len(one) for one in batches) > 2
    assert all(len(batch) == 1 for batch in batches if any(one.part for one in batch))


@given(st.lists(st.floats(0, 100), min_size=1, max_size=100))
def test_a_batch_is_no_more_than_its_seconds_of_work(seconds: list[float]) -> None:
    pace = pace_of(seconds[0])
    for one in seconds[1:]:
        pace.record(one, 1000)
    sizes = taken(split_into_batches((job(i, 1000) for i in range(1200)), pace), 600)
    assert max(sizes) * min(seconds) <= TARGET_SECONDS or max(sizes) == 1


def test_what_is_much_larger_than_the_latest_goes_alone() -> None:
    sizes = [JPEG] * 200 + [5 * JPEG] * 8 + [JPEG] * 200
    batches = list(split_into_batches([job(*one) for one in enumerate(sizes)], pace_of(0.4, JPEG)))
    large = [batch for batch in batches if any(one.source.stamp.size > JPEG for one in batch)]
    assert [len(batch) for batch in large] == [1] * 8


def test_batches_follow_the_pace() -> None:
    pace = pace_of(0.001)
    batches = split_into_batches((job(i, 1000) for i in range(12_000)), pace)
    quick = [len(next(batches)) for _ in range(200)]
    for _ in range(100):
        pace.record(0.24, 1000)
    slow = [len(next(batches)) for _ in range(20)]
    assert quick[-1] == MAX_JOBS
    assert slow[1:] == [int(TARGET_SECONDS / 0.24)] * 19
