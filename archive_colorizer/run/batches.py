"""Jobs in batches: enough at once to be worth sending, few enough to lose."""

from collections.abc import Iterable, Iterator

from archive_colorizer.records import Job
from archive_colorizer.run.executor import Batch

MOST_JOBS = 8
MOST_BYTES = 4 << 20
"""Bytes of sources; a larger source goes alone."""

_WARM = 16
"""Jobs that go out before batches grow by one, so that a small archive is shared evenly."""


def in_batches(jobs: Iterable[Job]) -> Iterator[Batch]:
    """The jobs in their order, as tuples of one job at first and of up to `MOST_JOBS` later.

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
        if len(batch) >= min(MOST_JOBS, 1 + sent // _WARM) or size > MOST_BYTES:
            yield tuple(batch)
            sent += len(batch)
            batch, size = [], 0
    if batch:
        yield tuple(batch)
