"""What becomes of a batch that was sent through Dask: its answer, or the loss of its process."""

from concurrent.futures import CancelledError
from typing import Any, cast

from archive_colorizer.errors import ArchiveColorizerError, DependencyError
from archive_colorizer.executors.executor import Batch, Lost
from archive_colorizer.records.outcomes import Outcome

_FETCHING = (CancelledError, OSError, RuntimeError, LookupError, ValueError, TypeError)
"""What fetching an answer from a dead worker was seen or is documented to raise."""


def fetched(future: Any, patience: float | None = None) -> object:
    """What a settled future stands for: a result, or the exception that is there instead of it.

    A worker can die between the end of a task and the fetching of its answer, so fetching
    fails in many ways, and without `patience`, in seconds, waits until another has the answer.
    """
    from distributed.scheduler import KilledWorker

    if future.status not in ("finished", "error"):
        return CancelledError(f"the batch was {future.status}")
    try:
        error: object = future.exception() if future.status == "error" else None
        return future.result(patience) if error is None else error
    except (KilledWorker, *_FETCHING) as failure:
        return failure


def answer_of(future: Any, batch: Batch) -> list[Outcome] | Lost:
    """The task's answer; everything that is the process's fault and not the task's is Lost.

    Only what the task itself raises on purpose is raised here.
    """
    from distributed.scheduler import NoWorkerError

    answer = fetched(future)
    if isinstance(answer, NoWorkerError):
        raise DependencyError("no worker process could be started; try --executor serial")
    if isinstance(answer, ArchiveColorizerError):
        raise answer
    if isinstance(answer, BaseException):
        return Lost(batch, f"the worker process died ({type(answer).__name__})")
    return cast(list[Outcome], answer)
