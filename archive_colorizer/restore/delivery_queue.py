"""Courier: finished photographs on their way to their places, while the next one is worked on."""

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Final, Self

from archive_colorizer.output.deliver import deliver_all
from archive_colorizer.output.deliveries import Parcel
from archive_colorizer.records.jobs import Workplace
from archive_colorizer.records.outcomes import Outcome
from archive_colorizer.restore.outcome_boundary import attempt, failure

_ENOUGH: Final = 4 << 20
"""Bytes of finished files that wait to be delivered together."""
_SECONDS: Final = 1.0
"""That the first of them waits at most."""
_MOST_BEHIND: Final = 32 << 20
"""Bytes that are delivered beside other work; more would be memory that nobody has weighed."""


class Courier:
    """Delivers what it takes in one thread of its own, of which nothing is left at the end.

    Small results go together, when they are enough or about once a second.  At most one delivery
    is under way, and `_MOST_BEHIND` bytes with it: what is larger, or is looked at once more, goes
    before other work is begun.
    """

    def __init__(self, workplace: Workplace) -> None:
        self._workplace = workplace
        self._waiting: list[Parcel] = []
        self._since = 0.0
        self._pool: ThreadPoolExecutor | None = None
        self._behind: Future[list[Outcome]] | None = None
        self._delivered: list[Outcome] = []

    def take(self, parcel: Parcel) -> None:
        """Take a finished photograph; deliver all at once where that may not wait."""
        self._since = self._since if self._waiting else time.monotonic()
        self._waiting.append(parcel)
        if self._is_time and not self._may_go_behind:
            self._meet()
            self._delivered += self._deliver()

    def set_off(self) -> None:
        """Deliver what is due beside the work that follows."""
        if not (self._is_time and self._may_go_behind):
            return
        self._meet()
        pool = self._pool or ThreadPoolExecutor(1, "courier")
        try:
            self._behind = pool.submit(_delivered, tuple(self._waiting), self._workplace)
        except RuntimeError:
            return  # no thread is to be had: this pool will never work, and what waits, waits
        self._pool = pool
        self._waiting.clear()

    def delivered(self) -> list[Outcome]:
        """Deliver the rest, and say what became of all."""
        self._meet()
        return self._delivered + self._deliver()

    @property
    def _weight(self) -> int:
        return sum(one.weight for one in self._waiting)

    @property
    def _is_time(self) -> bool:
        if not self._waiting:
            return False
        return self._weight >= _ENOUGH or time.monotonic() - self._since >= _SECONDS

    @property
    def _may_go_behind(self) -> bool:
        checked = any(one.check is not None for one in self._waiting)
        return not checked and self._weight <= _MOST_BEHIND

    def _deliver(self) -> list[Outcome]:
        parcels = tuple(self._waiting)
        self._waiting.clear()
        return _delivered(parcels, self._workplace)

    def _meet(self) -> None:
        """Wait for what is under way."""
        behind, self._behind = self._behind, None
        if behind is not None:
            self._delivered += behind.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()


def _delivered(parcels: Sequence[Parcel], workplace: Workplace) -> list[Outcome]:
    """Deliver together; the seconds that it takes are shared among all."""
    if not parcels:
        return []
    begun = time.monotonic()
    answers = attempt(lambda: deliver_all(parcels, workplace), lambda error: [error] * len(parcels))
    seconds = (time.monotonic() - begun) / len(parcels)
    made = [
        answer
        if isinstance(answer, Outcome)
        else failure(parcel.job, workplace.of(parcel.job.source), answer)
        for parcel, answer in zip(parcels, answers, strict=True)
    ]
    return [replace(one, seconds=round(one.seconds + seconds, 4)) for one in made]
