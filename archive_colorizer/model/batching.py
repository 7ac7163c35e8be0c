"""Joiner: what several threads ask of one network at once, it is asked in one batch."""

import threading
from dataclasses import dataclass
from typing import cast

import numpy as np

from archive_colorizer.errors import ArchiveColorizerError
from archive_colorizer.model.runtime import Network, Tensor


@dataclass(slots=True, eq=False)
class _Request:
    """A batch that a thread waits for; its answer or its error, once it is settled."""

    batch: Tensor
    answer: Tensor | None = None
    error: MemoryError | ArchiveColorizerError | None = None

    @property
    def settled(self) -> bool:
        return self.answer is not None or self.error is not None


class Joiner:
    """A Network for many threads that runs another for one thread at a time.

    Whoever finds the network free takes what waits beside it in the same shape, up to `most`
    pictures, runs all of it as one batch, and hands the others their shares.  So batches are
    as large as the device is slow, nobody waits for company on an idle device, and there is
    no thread of its own that could die or would have to be stopped.  A batch that fails is
    run again one request at a time: only whose request fails hears of it.
    """

    def __init__(self, network: Network, most: int) -> None:
        self._network = network
        self._most = most
        self._waiting: list[_Request] = []
        self._list = threading.Lock()
        self._turn = threading.Lock()

    def __call__(self, batch: Tensor) -> Tensor:
        """The network's answer to an N x C x H x W batch; raises what the network raises."""
        request = _Request(batch)
        with self._list:
            self._waiting.append(request)
        try:
            with self._turn:
                # It may have been served by the one before; if that one was stopped on its
                # way (KeyboardInterrupt), its requests are as they were.
                if not request.settled:
                    self._serve(self._joined(request))
        finally:
            self._leave([request])
        if request.error is not None:
            raise request.error
        return cast(Tensor, request.answer)

    def _joined(self, own: _Request) -> list[_Request]:
        """This request and those that fit beside it, oldest first."""
        taken, pictures = [own], len(own.batch)
        with self._list:
            for other in self._waiting:
                alike = other.batch.shape[1:] == own.batch.shape[1:]
                if other is not own and alike and pictures + len(other.batch) <= self._most:
                    taken.append(other)
                    pictures += len(other.batch)
        self._leave(taken)
        return taken

    def _leave(self, requests: list[_Request]) -> None:
        with self._list:
            self._waiting = [one for one in self._waiting if one not in requests]

    def _serve(self, requests: list[_Request]) -> None:
        if len(requests) == 1:
            _settle(requests[0], self._network)
            return
        sizes = [len(one.batch) for one in requests]
        try:
            answers = self._network(np.concatenate([one.batch for one in requests]))
        except (MemoryError, ArchiveColorizerError):
            answers = np.zeros((0,), np.float32)
        if len(answers) != sum(sizes):
            for one in requests:
                _settle(one, self._network)
            return
        for one, share in zip(requests, np.split(answers, np.cumsum(sizes)[:-1]), strict=True):
            one.answer = share


def _settle(request: _Request, network: Network) -> None:
    try:
        request.answer = network(request.batch)
    except (MemoryError, ArchiveColorizerError) as error:
        request.error = error
