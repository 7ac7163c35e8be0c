"""Limit the time of files and the memory of worker processes."""

import math
from collections.abc import Collection
from dataclasses import dataclass

from archive_colorizer.records.jobs import Job

FRAMES_PER_PHOTO = 10
"""Frames of a film that may take as long as one photograph."""

_MAX_SECONDS = 30 * 86400.0
_MIN_WORKER_MEMORY = 2 << 30
"""Bytes; with less memory, libraries and the network leave no room for a picture."""
_USABLE_MEMORY = 0.8
"""Share of the machine's memory that workers may use."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds for each file (0: unlimited), and bytes for each worker (0: an equal share)."""

    seconds: float = 0.0
    memory: int = 0

    def compute_seconds(self, batch: tuple[Job, ...]) -> float:
        """Return how long a batch may take; 0 if that is unlimited."""
        files = sum(
            math.ceil(job.part.frames / FRAMES_PER_PHOTO) if job.part else 1 for job in batch
        )
        return min(self.seconds * files, _MAX_SECONDS)

    def get_worker_memory(self, machine: int, workers: int) -> int:
        """Return the bytes for each of `workers` processes of a machine with `machine` bytes."""
        return self.memory or max(int(machine * _USABLE_MEMORY / workers), _MIN_WORKER_MEMORY)

    def compute_slots(self, machine: int, threads: int) -> tuple[int, int]:
        """Return how many batches a worker with `machine` bytes runs at once, and their bytes."""
        memory = self.get_worker_memory(machine, threads)
        return max(1, min(threads, int(machine * _USABLE_MEMORY / memory))), memory

    def count_shares(self, batch: tuple[Job, ...], workers: int) -> int:
        """Return the number of workers, at most `workers`, whose memory a batch needs.

        `self.memory` must not be 0.
        """
        need = max((job.memory for job in batch), default=0)
        return max(1, min(math.ceil(need / self.memory), workers))


def has_room(shares: int, used_shares: Collection[int], workers: int) -> bool:
    """Return whether a batch of `shares` may be sent next to batches with `used_shares`.

    Batches of one share may queue for a worker, but a larger batch runs only while all batches
    that were sent fit into the memory at once.
    """
    if not used_shares or max(shares, *used_shares) == 1:
        return True
    return sum(used_shares) + shares <= workers


NO_LIMITS = Limits()
