"""Many threads, one network: batches that are joined, and answers that find their way back."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from archive_colorizer.errors import ModelError
from archive_colorizer.model.batching import RequestBatcher

PATIENCE = 20


class Gate:
    """A network that answers with the negative; its first call waits until `opened`."""

    def __init__(self, fails=lambda _batch: None):
        self.calls = []
        self.begun, self.opened = threading.Event(), threading.Event()
        self.fails = fails
        self.inside = threading.Lock()

    def __call__(self, batch):
        assert self.inside.acquire(blocking=False), "two threads at once"
        try:
            self.calls.append(batch.shape)
            self.begun.set()
            assert self.opened.wait(PATIENCE)
            error = self.fails(batch)
            if error is not None:
                raise error
            return -batch
        finally:
            self.inside.release()


def picture(value, side=2, count=1):
    return np.full((count, 1, side, side), value, np.float32)


def ask_while_busy(gate, batcher, requests):
    """The futures of requests that all wait while the first one is at work."""
    pool = ThreadPoolExecutor(len(requests))
    futures = [pool.submit(batcher, requests[0])]
    assert gate.begun.wait(PATIENCE)
    futures += [pool.submit(batcher, one) for one in requests[1:]]
    end = threading.Event()
    for _ in range(PATIENCE * 100):
        if len(batcher._waiting) == len(requests) - 1:
            break
        end.wait(0.01)
    gate.opened.set()
    pool.shutdown(wait=False)
    return futures


def test_what_waits_is_run_as_one_batch_and_each_gets_its_own():
    gate = Gate()
    requests = [picture(value) for value in range(9)]
    futures = ask_while_busy(gate, RequestBatcher(gate, 16), requests)
    for future, one in zip(futures, requests, strict=True):
        assert np.array_equal(future.result(PATIENCE), -one)
    assert [shape[0] for shape in gate.calls] == [1, 8]


def test_only_one_shape_and_no_more_than_asked_go_together():
    gate = Gate()
    requests = [picture(0), *(picture(value, side=2 + value % 2) for value in range(1, 9))]
    requests.append(picture(9, count=3))
    futures = ask_while_busy(gate, RequestBatcher(gate, 3), requests)
    for future, one in zip(futures, requests, strict=True):
        assert np.array_equal(future.result(PATIENCE), -one)
    assert max(shape[0] for shape in gate.calls) <= 3
    assert {shape[2] for shape in gate.calls} == {2, 3}


def test_a_request_of_more_than_a_batch_goes_alone():
    gate = Gate()
    gate.opened.set()
    assert np.array_equal(RequestBatcher(gate, 2)(picture(1, count=5)), -picture(1, count=5))


@pytest.mark.parametrize("kind", [ModelError, MemoryError])
def test_an_error_arrives_at_whose_picture_it_is(kind):
    def fails(batch):
        return kind("guilty") if (batch == 3).any() else None

    gate = Gate(fails)
    requests = [picture(value) for value in range(6)]
    futures = ask_while_busy(gate, RequestBatcher(gate, 16), requests)
    for value, future in enumerate(futures):
        if value == 3:
            with pytest.raises(kind, match="guilty"):
                future.result(PATIENCE)
        else:
            assert np.array_equal(future.result(PATIENCE), -requests[value])


def test_a_network_that_loses_answers_is_asked_one_by_one():
    gate = Gate()
    batcher = RequestBatcher(lambda batch: gate(batch)[:1], 16)
    requests = [picture(value) for value in range(4)]
    for future, one in zip(ask_while_busy(gate, batcher, requests), requests, strict=True):
        assert np.array_equal(future.result(PATIENCE), -one)


def test_who_is_interrupted_on_its_way_leaves_nobody_waiting():
    interrupted = []

    def fails(batch):
        if len(batch) > 1 and not interrupted:
            interrupted.append(len(batch))
            return KeyboardInterrupt()
        return None

    gate = Gate(fails)
    batcher = RequestBatcher(gate, 16)
    requests = [picture(value) for value in range(5)]
    ends = [type(future.exception(PATIENCE)) for future in ask_while_busy(gate, batcher, requests)]
    assert interrupted == [4]
    assert sorted(map(str, ends)) == sorted(map(str, [KeyboardInterrupt, *[type(None)] * 4]))
    assert not batcher._waiting


def test_threads_by_the_dozen_get_their_own():
    batcher = RequestBatcher(lambda batch: -batch, 4)

    def many(seed):
        random = np.random.default_rng(seed)
        for _ in range(200):
            one = picture(random.random(), side=int(random.integers(1, 4)), count=1 + seed % 3)
            assert np.array_equal(batcher(one), -one)
        return True

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(many, range(16)))
    assert not batcher._waiting
