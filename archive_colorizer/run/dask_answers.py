"""What becomes of a batch that was sent through Dask: its answer, or the loss of its process."""

from concurrent.futures import CancelledError
from typing import Any, cast

from archive_colorizer.errors import ArchiveColorizerError, DependencyError
from archive_colorizer.records import Outcome
from archive_colorizer.run.executor import Batch, Lost

_FETCHING = (CancelledError, OSError, RuntimeError, LookupError, ValueError, TypeError)
"""What fetching an answer from a dead worker was seen or is documented to raise."""


def answer_of(future: Any, batch: Batch) -> list[Outcome] | Lost:
    """The task's answer; everything that is the process's fault and not the task's is Lost.

    A worker can die between the end of a task and the fetching of its answer, so fetching
    fails in many ways; only what the task itself raises on purpose is raised here.
    """
    from distributed.scheduler import KilledWorker, NoWorkerError

    if future.status not in ("finished", "error"):
        return Lost(batch, f"the batch was {future.status}")
    try:
        error = future.exception() if future.status == "error" else None
        if error is None:
            return cast(list[Outcome], future.result())
    except (KilledWorker, *_FETCHING) as failure:
        error = failure
    if isinstance(error, NoWorkerError):
        raise DependencyError("no worker process could be started; try --executor serial")
    if isinstance(error, ArchiveColorizerError):
        raise error
    return Lost(batch, f"the worker process died ({type(error).__name__})")
