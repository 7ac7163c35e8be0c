"""Fetch the results of batches from Dask, or recognize that their process was lost."""

from concurrent.futures import CancelledError
from typing import Any, cast

from archive_colorizer.errors import ArchiveColorizerError, DependencyError
from archive_colorizer.executors.executor import Batch, LostBatch
from archive_colorizer.records.outcomes import Outcome

_FETCH_ERRORS = (CancelledError, OSError, RuntimeError, LookupError, ValueError, TypeError)
"""Errors that fetching a result from a dead worker may raise."""


def fetch_result(future: Any, timeout: float | None = None) -> object:
    """Return the result of a finished future, or the exception in its place.

    A worker can die before its result is fetched; without a `timeout` in seconds, this waits
    until another worker has computed it.
    """
    from distributed.scheduler import KilledWorker

    if future.status not in ("finished", "error"):
        return CancelledError(f"the batch was {future.status}")
    try:
        error: object = future.exception() if future.status == "error" else None
        return future.result(timeout) if error is None else error
    except (KilledWorker, *_FETCH_ERRORS) as failure:
        return failure


def receive_outcomes(future: Any, batch: Batch) -> list[Outcome] | LostBatch:
    """Return the outcomes of a batch, or LostBatch if its process failed.

    Raises ArchiveColorizerError if the task did.
    """
    from distributed.scheduler import NoWorkerError

    answer = fetch_result(future)
    if isinstance(answer, NoWorkerError):
        raise DependencyError("no worker process could be started; try --executor serial")
    if isinstance(answer, ArchiveColorizerError):
        raise answer
    if isinstance(answer, BaseException):
        return LostBatch(batch, f"the worker process died ({type(answer).__name__})")
    return cast(list[Outcome], answer)
