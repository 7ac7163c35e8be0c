"""Many files at once, in order."""

import threading

import pytest

from archive_colorizer.executors.threads import map_in_threads


def test_answers_come_in_order():
    assert list(map_in_threads(lambda one: one * 2, range(100), 4)) == list(range(0, 200, 2))


def test_nothing_gives_nothing():
    assert list(map_in_threads(str, [], 3)) == []


def test_it_never_runs_far_ahead_of_its_reader():
    pulled = []

    def numbers():
        for number in range(1000):
            pulled.append(number)
            yield number

    answers = map_in_threads(str, numbers(), 2)
    assert next(answers) == "0"
    assert len(pulled) <= 2 * 2
    answers.close()


def test_threads_are_really_used():
    both = threading.Barrier(2, timeout=10)
    assert len(list(map_in_threads(lambda _: both.wait(), range(2), 2))) == 2


def test_an_error_arrives_where_it_belongs():
    def work(number):
        if number == 3:
            raise ValueError(number)
        return number

    answers = map_in_threads(work, range(10), 2)
    assert [next(answers) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="3"):
        next(answers)
