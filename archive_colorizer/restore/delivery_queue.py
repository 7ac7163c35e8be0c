"""Deliver finished photographs in the background, while the next one is restored."""

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Final, Self

from archive_colorizer.output.deliver import deliver_all
from archive_colorizer.output.deliveries import PendingResult
from archive_colorizer.records.jobs import JobContext
from archive_colorizer.records.outcomes import Outcome
from archive_colorizer.restore.outcome_boundary import build_failure, call_guarded

_BATCH_BYTES: Final = 4 << 20
"""Finished files are delivered together once they have this size."""
_MAX_WAIT: Final = 1.0
"""Seconds after which they are delivered even if they are smaller."""
_MAX_BACKGROUND_BYTES: Final = 32 << 20
"""Larger deliveries hold up the next photograph: no job's memory estimate counts them."""


class DeliveryQueue:
    """Delivers finished photographs in one thread, which ends with the `with` block.

    Small results go together.  At most one delivery runs in the background; results over
    `_MAX_BACKGROUND_BYTES`, and those with a check, are delivered before other work starts.
    """

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._waiting: list[PendingResult] = []
        self._since = 0.0
        self._pool: ThreadPoolExecutor | None = None
        self._running: Future[list[Outcome]] | None = None
        self._delivered: list[Outcome] = []

    def add(self, result: PendingResult) -> None:
        """Queue a finished photograph; deliver all at once if they may not wait."""
        self._since = self._since if self._waiting else time.monotonic()
        self._waiting.append(result)
        if self._is_due and not self._may_run_in_background:
            self._join()
            self._delivered += self._deliver()

    def start_background(self) -> None:
        """Deliver what is due in the background."""
        if not (self._is_due and self._may_run_in_background):
            return
        self._join()
        pool = self._pool or ThreadPoolExecutor(1, "delivery")
        try:
            self._running = pool.submit(_deliver_batch, tuple(self._waiting), self._context)
        except RuntimeError:
            return  # The system gives no thread; results wait for `drain`.
        self._pool = pool
        self._waiting.clear()

    def drain(self) -> list[Outcome]:
        """Deliver the rest, and return the outcomes of all."""
        self._join()
        return self._delivered + self._deliver()

    @property
    def _size(self) -> int:
        return sum(result.waiting_bytes for result in self._waiting)

    @property
    def _is_due(self) -> bool:
        if not self._waiting:
            return False
        return self._size >= _BATCH_BYTES or time.monotonic() - self._since >= _MAX_WAIT

    @property
    def _may_run_in_background(self) -> bool:
        has_check = any(result.check is not None for result in self._waiting)
        return not has_check and self._size <= _MAX_BACKGROUND_BYTES

    def _deliver(self) -> list[Outcome]:
        results = tuple(self._waiting)
        self._waiting.clear()
        return _deliver_batch(results, self._context)

    def _join(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            self._delivered += running.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()


def _deliver_batch(results: Sequence[PendingResult], context: JobContext) -> list[Outcome]:
    """Deliver results together, and share the seconds of it among all."""
    if not results:
        return []
    start = time.monotonic()
    answers = call_guarded(
        lambda: deliver_all(results, context), lambda error: [error] * len(results)
    )
    seconds = (time.monotonic() - start) / len(results)
    outcomes = [
        answer
        if isinstance(answer, Outcome)
        else build_failure(result.job, context.for_source(result.job.source), answer)
        for result, answer in zip(results, answers, strict=True)
    ]
    return [replace(outcome, seconds=round(outcome.seconds + seconds, 4)) for outcome in outcomes]
