"""Fitted: batches of a few sizes, and of no more pictures than the device has memory for."""

import math
from typing import Final

import numpy as np

from archive_colorizer.model.runtime import Network, Tensor

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
