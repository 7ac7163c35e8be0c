"""An executor that is kept serves run after run, and leaves no work behind that nobody wants."""

import pytest

from archive_colorizer.executors.executor import ReusedExecutor, SerialExecutor


class Noting(SerialExecutor):
    closed = 0

    def close(self):
        self.closed += 1


@pytest.fixture
def inner():
    return Noting()


def test_it_outlives_the_runs_that_use_it(inner):
    with ReusedExecutor(inner) as kept:
        for _ in range(2):
            assert list(kept.map(list, [(1,), (2,)])) == [[1], [2]]
            kept.close()
            assert inner.closed == 0
    assert inner.closed == 1


def test_work_that_nobody_waits_for_is_ended(inner):
    kept = ReusedExecutor(inner)
    answers = kept.map(list, [(1,), (2,)])
    next(answers)
    kept.close()
    assert inner.closed == 1
    assert list(kept.map(list, [(3,)])) == [[3]]
    kept.close()
    assert inner.closed == 1
