"""Split jobs into batches, large enough to be worth sending and small enough to lose."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from archive_colorizer.executors.executor import Batch
from archive_colorizer.records.jobs import Job

MAX_JOBS: Final = 64
MAX_SOURCE_BYTES: Final = 48 << 20
"""Bytes of sources in a batch; a larger source is a batch of its own."""
MAX_MEMORY: Final = 1 << 30
"""Bytes of memory that a job may need to share a batch with others."""
TARGET_SECONDS: Final = 2.0
"""Seconds of work in a batch."""

_JOBS_PER_GROWTH: Final = 4
"""Jobs that are sent before batches grow by one, so that workers share a small archive evenly."""
_WINDOW: Final = 16
"""Approximate number of recent jobs that the estimates follow."""
_MAX_LOOKAHEAD: Final = 256
"""Jobs that are read ahead to notice the end."""


class Throughput:
    """Running averages of the latest jobs, and the number of batches in flight."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._seconds = 0.0
        self._bytes = 0.0
        self._has_data = False

    def track(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Count batches as in flight while they are consumed."""
        for batch in batches:
            self.in_flight += 1
            yield batch

    def record(self, seconds: float, size: int) -> None:
        """Record the seconds of one job, and the bytes of its source."""
        weight = 1 / _WINDOW if self._has_data else 1.0
        self._seconds += (seconds - self._seconds) * weight
        self._bytes += (size - self._bytes) * weight
        self._has_data = True

    def estimate_seconds(self, job: Job) -> float:
        """Return the average, scaled up for a larger source; `TARGET_SECONDS` without data."""
        if not self._has_data:
            return TARGET_SECONDS
        return self._seconds * max(1.0, _get_size(job) / max(self._bytes, 1.0))


def split_into_batches(jobs: Iterable[Job], throughput: Throughput) -> Iterator[Batch]:
    """Yield the jobs in their order, in batches that grow to about `TARGET_SECONDS` of work.

    Batches shrink toward the end, so that all workers stay busy until then.  A part of a film
    is a batch of its own, and so is a job that needs much memory or time.
    """
    lookahead = _Lookahead(jobs)
    sent = 0
    while lookahead.peek(1):
        batch = _build_batch(lookahead, throughput, min(MAX_JOBS, 1 + sent // _JOBS_PER_GROWTH))
        sent += len(batch)
        yield batch


def _build_batch(lookahead: "_Lookahead", throughput: Throughput, max_jobs: int) -> Batch:
    batch = [lookahead.pop()]
    seconds, size = throughput.estimate_seconds(batch[0]), _get_size(batch[0])
    if seconds * 2 > TARGET_SECONDS or max_jobs == 1 or _is_alone(batch[0]):
        return tuple(batch)
    receivers = throughput.in_flight + 1
    remaining = 1 + lookahead.peek(min(max_jobs * receivers, _MAX_LOOKAHEAD))
    if lookahead.ended:
        max_jobs = min(max_jobs, remaining // receivers)
    while len(batch) < max_jobs and lookahead.peek(1):
        job = lookahead.next
        seconds, size = seconds + throughput.estimate_seconds(job), size + _get_size(job)
        if seconds > TARGET_SECONDS or size > MAX_SOURCE_BYTES or _is_alone(job):
            break
        batch.append(lookahead.pop())
    return tuple(batch)


def _get_size(job: Job) -> int:
    return job.source.stamp.size


def _is_alone(job: Job) -> bool:
    return job.part is not None or job.memory > MAX_MEMORY or _get_size(job) > MAX_SOURCE_BYTES


class _Lookahead:
    """A queue of jobs that is filled on demand."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self.ended = False
        self._jobs = iter(jobs)
        self._peeked: deque[Job] = deque()

    @property
    def next(self) -> Job:
        return self._peeked[0]

    def peek(self, count: int) -> int:
        """Return how many jobs are left, if fewer than `count`; otherwise at least `count`."""
        while len(self._peeked) < count and not self.ended:
            job = next(self._jobs, None)
            if job is None:
                self.ended = True
            else:
                self._peeked.append(job)
        return len(self._peeked)

    def pop(self) -> Job:
        return self._peeked.popleft()
