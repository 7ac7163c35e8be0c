"""Joiner: what several threads ask of one network at once, it is asked in one batch."""

import math
import threading
from dataclasses import dataclass
from typing import Final, cast

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


SIZES: Final = (1, 2, 4, 8, 16)
"""Of batches.  A device prepares anew for each size that it has not seen."""


_WASTE: Final = 4
"""At most one picture in so many is there to fill a batch up."""


class Fitted:
    """A Network for batches of any size that runs another in batches of the sizes of SIZES.

    What does not suffice for one of them is filled up with its last picture, or shared among
    several.  When memory is short a batch is tried again by halves, and no batch of that many
    values is tried any more; MemoryError is raised when it is short for a single picture.
    """

    def __init__(self, network: Network, most: int) -> None:
        """`most` pictures are what the network takes at once."""
        self._network = network
        self._sizes = tuple(size for size in SIZES if size <= most)
        # Values of a batch; infinite until memory was short.
        self._room = math.inf

    def __call__(self, batch: Tensor) -> Tensor:
        """The network's answer to N x C x H x W; raises what the network raises."""
        answers: list[Tensor] = []
        at = 0
        while at < len(batch):
            part = batch[at : at + self._size(len(batch) - at, batch[0].size)]
            size = self._around(len(part))
            try:
                answers.append(self._run(part, size))
                at += len(part)
            except MemoryError:
                if size == 1:
                    raise
                self._room = size // 2 * batch[0].size
        return answers[0] if len(answers) == 1 else np.concatenate(answers)

    def _size(self, pictures: int, values: int) -> int:
        """How many of so many pictures go into the next batch."""
        fitting = [size for size in self._sizes if size == 1 or size * values <= self._room]
        full = max((size for size in fitting if size <= pictures), default=1)
        above = [size for size in fitting if size > pictures]
        if above and (above[0] - pictures) * _WASTE <= above[0]:
            return pictures
        return full

    def _around(self, pictures: int) -> int:
        """The size of the batch that holds so many pictures."""
        return min(size for size in self._sizes if size >= pictures)

    def _run(self, part: Tensor, size: int) -> Tensor:
        if len(part) == size:
            return self._network(part)
        filling = np.repeat(part[-1:], size - len(part), axis=0)
        return self._network(np.concatenate([part, filling]))[: len(part)]
