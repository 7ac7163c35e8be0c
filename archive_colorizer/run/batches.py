"""Jobs in batches: enough at once to be worth sending, few enough to lose."""

from collections.abc import Iterable, Iterator

from archive_colorizer.records import Job
from archive_colorizer.run.executor import Batch

MOST_JOBS = 64
MOST_BYTES = 4 << 20
"""Bytes of sources; a larger source goes alone."""
SECONDS = 1.0
"""Of work that a batch is meant to be."""

_WARM = 16
"""Jobs that go out before batches grow by one, so that a small archive is shared evenly."""
_MEMORY = 16
"""Jobs whose pace counts, about: a stretch of other pictures soon has batches of its own size."""


class Pace:
    """How many jobs are about `SECONDS` of work, as the latest ones went."""

    def __init__(self) -> None:
        self._seconds: float | None = None

    def note(self, seconds: float) -> None:
        """Take what one job took on its worker."""
        before = seconds if self._seconds is None else self._seconds
        self._seconds = before + (seconds - before) / _MEMORY

    @property
    def jobs(self) -> int:
        mean = self._seconds or 0.0
        return MOST_JOBS if mean * MOST_JOBS <= SECONDS else max(1, int(SECONDS / mean))


def in_batches(jobs: Iterable[Job], pace: Pace) -> Iterator[Batch]:
    """The jobs in their order, as tuples of one job at first and of up to `pace.jobs` later.

    A part of a film goes alone, whatever its file's size.
    """
    batch: list[Job] = []
    size = sent = 0
    for job in jobs:
        here = job.source.stamp.size if job.part is None else MOST_BYTES + 1
        if batch and size + here > MOST_BYTES:
            yield tuple(batch)
            sent += len(batch)
            batch, size = [], 0
        batch.append(job)
        size += here
        if len(batch) >= min(pace.jobs, 1 + sent // _WARM) or size > MOST_BYTES:
            yield tuple(batch)
            sent += len(batch)
            batch, size = [], 0
    if batch:
        yield tuple(batch)
