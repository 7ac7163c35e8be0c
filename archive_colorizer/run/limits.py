"""Limits: what one worker process may take."""

import math
from dataclasses import dataclass

from archive_colorizer.records import Job

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


NO_LIMITS = Limits()
"""Any number of seconds, and a worker's share of the memory."""
