"""Batch the requests of several threads, and keep batches to sizes that a device has seen."""

import math
import threading
from dataclasses import dataclass
from typing import Final, cast

import numpy as np

from archive_colorizer.errors import ArchiveColorizerError
from archive_colorizer.model.runtime import Network, Tensor


@dataclass(slots=True, eq=False)
class _Request:
    batch: Tensor
    answer: Tensor | None = None
    error: MemoryError | ArchiveColorizerError | None = None


class RequestBatcher:
    """A Network for many threads that runs another in one thread at a time.

    The thread that finds the network free collects the waiting requests of the same shape, up
    to `max_batch` pictures, and runs them as one batch.  Batches grow with the load, an idle
    device answers at once, and no extra thread has to be stopped.  When a batch fails, its
    requests run one by one, so that only the faulty one raises.
    """

    def __init__(self, network: Network, max_batch: int) -> None:
        self._network = network
        self._max_batch = max_batch
        self._waiting: list[_Request] = []
        self._waiting_lock = threading.Lock()
        self._network_lock = threading.Lock()

    def __call__(self, batch: Tensor) -> Tensor:
        request = _Request(batch)
        with self._waiting_lock:
            self._waiting.append(request)
        try:
            with self._network_lock:
                # Another thread may have served it; one that a KeyboardInterrupt stopped leaves
                # its requests open.
                if request.answer is None and request.error is None:
                    self._serve(self._collect_requests(request))
        finally:
            self._remove_waiting([request])
        if request.error is not None:
            raise request.error
        return cast(Tensor, request.answer)

    def _collect_requests(self, first: _Request) -> list[_Request]:
        """Return this request and the waiting ones that fit into its batch, oldest first."""
        requests, pictures = [first], len(first.batch)
        with self._waiting_lock:
            for other in self._waiting:
                has_room = pictures + len(other.batch) <= self._max_batch
                is_alike = other.batch.shape[1:] == first.batch.shape[1:]
                if other is not first and is_alike and has_room:
                    requests.append(other)
                    pictures += len(other.batch)
        self._remove_waiting(requests)
        return requests

    def _remove_waiting(self, requests: list[_Request]) -> None:
        with self._waiting_lock:
            self._waiting = [waiting for waiting in self._waiting if waiting not in requests]

    def _serve(self, requests: list[_Request]) -> None:
        if len(requests) == 1:
            _run_request(requests[0], self._network)
            return
        sizes = [len(request.batch) for request in requests]
        try:
            answers = self._network(np.concatenate([request.batch for request in requests]))
        except (MemoryError, ArchiveColorizerError):
            answers = np.zeros((0,), np.float32)
        if len(answers) != sum(sizes):
            for request in requests:
                _run_request(request, self._network)
            return
        shares = np.split(answers, np.cumsum(sizes)[:-1])
        for request, share in zip(requests, shares, strict=True):
            request.answer = share


def _run_request(request: _Request, network: Network) -> None:
    try:
        request.answer = network(request.batch)
    except (MemoryError, ArchiveColorizerError) as error:
        request.error = error


BATCH_SIZES: Final = (1, 2, 4, 8, 16)
"""A device needs time to prepare for each batch size that it has not seen."""

_MIN_FILLED: Final = 4
"""At most one picture in so many only fills a batch up."""


class FixedBatchSizes:
    """A Network for batches of any size that runs another in batches of BATCH_SIZES.

    A batch is split, or filled up with its last picture.  When memory is short it is retried
    in halves, and batches of that many values are not tried again; MemoryError is raised when
    memory is short for a single picture.
    """

    def __init__(self, network: Network, max_batch: int) -> None:
        self._network = network
        self._sizes = tuple(size for size in BATCH_SIZES if size <= max_batch)
        # Values of a batch; infinite until memory was short.
        self._room = math.inf

    def __call__(self, batch: Tensor) -> Tensor:
        answers: list[Tensor] = []
        at = 0
        while at < len(batch):
            part = batch[at : at + self._choose_size(len(batch) - at, batch[0].size)]
            size = min(size for size in self._sizes if size >= len(part))
            try:
                answers.append(self._run(part, size))
                at += len(part)
            except MemoryError:
                if size == 1:
                    raise
                self._room = size // 2 * batch[0].size
        return answers[0] if len(answers) == 1 else np.concatenate(answers)

    def _choose_size(self, pictures: int, values: int) -> int:
        """Return how many of these pictures go into the next batch."""
        fitting = [size for size in self._sizes if size == 1 or size * values <= self._room]
        full = max((size for size in fitting if size <= pictures), default=1)
        above = [size for size in fitting if size > pictures]
        if above and (above[0] - pictures) * _MIN_FILLED <= above[0]:
            return pictures
        return full

    def _run(self, part: Tensor, size: int) -> Tensor:
        if len(part) == size:
            return self._network(part)
        filling = np.repeat(part[-1:], size - len(part), axis=0)
        return self._network(np.concatenate([part, filling]))[: len(part)]
