"""Define the interface between a run and its processes."""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Self, TypeAlias, cast

from archive_colorizer.errors import UsageError
from archive_colorizer.executors.allocation import WorkerAllocation
from archive_colorizer.executors.cluster.config import Cluster
from archive_colorizer.executors.limits import NO_LIMITS, Limits
from archive_colorizer.records.jobs import Job
from archive_colorizer.records.outcomes import Outcome

Batch: TypeAlias = tuple[Job, ...]
Task: TypeAlias = Callable[[Batch], list[Outcome]]


@dataclass(frozen=True, slots=True)
class LostBatch:
    """A batch without outcomes, because its process died.

    timeout: whether it was killed after its time limit.  worker_left: whether its machine left
    the cluster, which is no fault of the batch.
    """

    batch: Batch
    message: str
    timeout: bool = False
    worker_left: bool = False


def report_timeout(batch: Batch, limits: Limits) -> LostBatch:
    """Describe a batch that was stopped because its time was over."""
    seconds = limits.compute_seconds(batch)
    return LostBatch(batch, f"not finished after {seconds:g} s and stopped", timeout=True)


class Executor(ABC):
    """Runs a task over batches."""

    @abstractmethod
    def map(self, task: Task, batches: Iterable[Batch]) -> Iterator[list[Outcome] | LostBatch]:
        """Yield outcomes or LostBatch for each batch, in any order, as they come.

        Batches are pulled lazily, at most a few ahead of the answers.  The task must be
        picklable.  Raises the ArchiveColorizerError that the task raises.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop all processes, by force if they are working."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class SerialExecutor(Executor):
    """Runs one batch after the other in this process.

    It enforces no limits, since a library that hangs can only be stopped with its process.
    """

    def __init__(self, *_options: object) -> None:
        """Ignore the options of other executors."""

    def map(self, task: Task, batches: Iterable[Batch]) -> Iterator[list[Outcome] | LostBatch]:
        for batch in batches:
            yield task(batch)

    def close(self) -> None:
        """Do nothing."""


_EXECUTORS = {
    "serial": "archive_colorizer.executors.executor:SerialExecutor",
    "dask": "archive_colorizer.executors.cluster.executor:DaskExecutor",
    "cluster": "archive_colorizer.executors.cluster.executor:DaskExecutor",
}


def open_executor(
    name: str,
    allocation: WorkerAllocation,
    limits: Limits = NO_LIMITS,
    cluster: Cluster | None = None,
) -> Executor:
    """Open an executor, whose module is imported on demand; it starts with the first batch.

    The executor called cluster uses all workers of the cluster if `allocation.workers` is 0.
    Raises UsageError for an unknown name, and DependencyError if a library is missing.
    """
    if name not in _EXECUTORS:
        raise UsageError(f"executor must be one of {', '.join(_EXECUTORS)}, not {name!r}")
    module, _, class_name = _EXECUTORS[name].partition(":")
    factory = getattr(importlib.import_module(module), class_name)
    return cast(Executor, factory(allocation, limits, cluster))


class ReusedExecutor(Executor):
    """Wraps an executor whose processes survive a run, unless batches are in flight."""

    def __init__(self, inner: Executor) -> None:
        self._inner = inner
        self._in_flight = False

    def map(self, task: Task, batches: Iterable[Batch]) -> Iterator[list[Outcome] | LostBatch]:
        self._in_flight = True
        yield from self._inner.map(task, batches)
        self._in_flight = False

    def close(self) -> None:
        """Stop the processes if they work on abandoned batches."""
        if self._in_flight:
            self.end()

    def end(self) -> None:
        """Stop the processes; a later `map` starts new ones."""
        self._inner.close()
        self._in_flight = False

    def __exit__(self, *_: object) -> None:
        self.end()
