"""Limits: what one worker process may take."""

import math
from collections.abc import Collection
from dataclasses import dataclass

from archive_colorizer.records.jobs import Job

FRAMES = 10
"""Frames of a film that get as much time as one photograph."""

_LONGEST = 30 * 86400.0
_LEAST = 2 << 30
"""Bytes: with fewer, libraries and network leave nothing for a picture."""
_AT_HAND = 0.8
"""Share of the machine's memory that the workers share."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds for each file, 0 for any number; bytes for each worker, 0 for its share."""

    seconds: float = 0.0
    memory: int = 0

    def seconds_for(self, batch: tuple[Job, ...]) -> float:
        """How long a batch may take; 0 for as long as it wants.

        As many times `seconds` as there are photographs, or beginnings of `FRAMES` frames.
        """
        files = sum(math.ceil(job.part.frames / FRAMES) if job.part else 1 for job in batch)
        return min(self.seconds * files, _LONGEST)

    def share(self, machine: int, workers: int) -> int:
        """Bytes for one of `workers` processes on a machine with `machine` bytes of memory."""
        return self.memory or max(int(machine * _AT_HAND / workers), _LEAST)

    def slots(self, machine: int, threads: int) -> tuple[int, int]:
        """How many batches at once a worker with so many bytes and threads has room for.

        The second number is the bytes for each.
        """
        share = self.share(machine, threads)
        return max(1, min(threads, int(machine * _AT_HAND / share))), share

    def shares_for(self, batch: tuple[Job, ...], workers: int) -> int:
        """Of how many of the `workers` a batch needs the memory; 1 where its need is not known.

        `memory` must be given.  What needs more than all have gets the memory of all.
        """
        need = max((job.memory for job in batch), default=0)
        return max(1, min(math.ceil(need / self.memory), workers))


def has_room(shares: int, taken: Collection[int], workers: int) -> bool:
    """Whether a batch that needs so many shares may be sent while others have `taken` theirs.

    Batches of one share may wait for a worker; one of several begins only when all that are
    out have room beside it, and the next ones only when they have room beside it.
    """
    if not taken or max(shares, *taken) == 1:
        return True
    return sum(taken) + shares <= workers


NO_LIMITS = Limits()
"""Any number of seconds, and a worker's share of the memory."""
