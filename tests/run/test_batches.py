"""Jobs in batches."""

from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.records import Job, Source, Stamp
from archive_colorizer.run.batches import MOST_BYTES, MOST_JOBS, SECONDS, Pace, in_batches


def job(number: int, size: int) -> Job:
    return Job(str(number), Source("/in", f"{number}.jpg", Stamp(size, 0, 0, 0)), f"{number}.jpg")


@given(st.lists(st.integers(0, 2 * MOST_BYTES), max_size=300))
def test_all_in_order_and_none_too_big(sizes: list[int]) -> None:
    jobs = [job(*pair) for pair in enumerate(sizes)]
    batches = list(in_batches(jobs, Pace()))
    assert [one for batch in batches for one in batch] == jobs
    for batch in batches:
        assert 0 < len(batch) <= MOST_JOBS
        assert len(batch) == 1 or sum(one.source.stamp.size for one in batch) <= MOST_BYTES


def test_a_small_archive_is_shared_evenly_and_a_large_one_in_full_batches() -> None:
    sizes = [len(batch) for batch in in_batches((job(i, 1000) for i in range(4000)), Pace())]
    assert sizes[:16] == [1] * 16
    assert sizes[-2] == MOST_JOBS
    assert sizes[:-1] == sorted(sizes[:-1])


def test_the_first_batch_needs_one_job_only() -> None:
    taken = []

    def jobs() -> object:
        for number in range(100):
            taken.append(number)
            yield job(number, 1)

    next(in_batches(jobs(), Pace()))  # type: ignore[arg-type]
    assert taken == [0]


@given(st.lists(st.floats(0, 100), min_size=1, max_size=100))
def test_a_batch_is_about_a_second_of_work(seconds: list[float]) -> None:
    pace = Pace()
    for one in seconds:
        pace.note(one)
    assert 1 <= pace.jobs <= MOST_JOBS
    assert pace.jobs * min(seconds) <= SECONDS or pace.jobs == 1


def test_batches_follow_the_pace() -> None:
    pace = Pace()
    batches = in_batches((job(i, 1000) for i in range(9000)), pace)
    quick = [len(next(batches)) for _ in range(200)]
    for _ in range(100):
        pace.note(0.25)
    slow = [len(next(batches)) for _ in range(20)]
    assert quick[-1] == MOST_JOBS
    assert slow[1:] == [4] * 19
