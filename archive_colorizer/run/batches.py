"""Jobs in batches: enough at once to be worth sending, few enough to lose."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from archive_colorizer.executors.executor import Batch
from archive_colorizer.records.jobs import Job

MOST_JOBS: Final = 64
MOST_BYTES: Final = 48 << 20
"""Bytes of sources; a larger source goes alone.  Only one of them is in memory at a time."""
MOST_MEMORY: Final = 1 << 30
"""Bytes that a picture may take to be restored beside others of its batch."""
SECONDS: Final = 2.0
"""Of work that a batch is meant to be."""

_WARM: Final = 4
"""Jobs that go out before batches grow by one, so that a small archive is shared evenly."""
_MEMORY: Final = 16
"""Jobs whose pace counts, about: a stretch of other pictures soon has batches of its own size."""
_SIGHT: Final = 256
"""Jobs that are looked at ahead, at most, to see the end."""


class Pace:
    """What a job takes, as the latest ones went, and how many batches are out.

    flying: those that were sent and have not come back.
    """

    def __init__(self) -> None:
        self.flying = 0
        self._seconds = 0.0
        self._bytes = 0.0
        self._known = False

    def note(self, seconds: float, size: int) -> None:
        """Take what one job took on its worker, and the bytes of its source."""
        weight = 1 / _MEMORY if self._known else 1.0
        self._seconds += (seconds - self._seconds) * weight
        self._bytes += (size - self._bytes) * weight
        self._known = True

    def seconds_of(self, job: Job) -> float:
        """What this one may take: as long as the others, or longer by as much as it is larger.

        Before anything is known, all that a batch may.
        """
        if not self._known:
            return SECONDS
        return self._seconds * max(1.0, _size(job) / max(self._bytes, 1.0))


def in_batches(jobs: Iterable[Job], pace: Pace) -> Iterator[Batch]:
    """The jobs in their order, as tuples of one job at first and of about `SECONDS` later.

    Towards the end they become smaller, so that all workers have something to do until then.
    A part of a film goes alone, and so does whatever takes much memory or time.
    """
    ahead = _Ahead(jobs)
    sent = 0
    while ahead.see(1):
        batch = _next(ahead, pace, min(MOST_JOBS, 1 + sent // _WARM))
        sent += len(batch)
        yield batch


def _next(ahead: "_Ahead", pace: Pace, most: int) -> Batch:
    batch = [ahead.take()]
    seconds, size = pace.seconds_of(batch[0]), _size(batch[0])
    if seconds * 2 > SECONDS or most == 1 or _is_alone(batch[0]):
        return tuple(batch)
    share = pace.flying + 1
    left = 1 + ahead.see(min(most * share, _SIGHT))
    if ahead.ended:
        most = min(most, left // share)
    while len(batch) < most and ahead.see(1):
        job = ahead.next
        seconds, size = seconds + pace.seconds_of(job), size + _size(job)
        if seconds > SECONDS or size > MOST_BYTES or _is_alone(job):
            break
        batch.append(ahead.take())
    return tuple(batch)


def _size(job: Job) -> int:
    return job.source.stamp.size


def _is_alone(job: Job) -> bool:
    return job.part is not None or job.memory > MOST_MEMORY or _size(job) > MOST_BYTES


class _Ahead:
    """Jobs that may be looked at before they are taken."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self.ended = False
        self._jobs = iter(jobs)
        self._seen: deque[Job] = deque()

    @property
    def next(self) -> Job:
        return self._seen[0]

    def see(self, count: int) -> int:
        """How many are left, if no more than that; or at least `count`."""
        while len(self._seen) < count and not self.ended:
            job = next(self._jobs, None)
            if job is None:
                self.ended = True
            else:
                self._seen.append(job)
        return len(self._seen)

    def take(self) -> Job:
        return self._seen.popleft()
