"""Executor: the only seam between a run and its processes."""

import importlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, Self, TypeAlias, cast

from archive_colorizer.errors import UsageError
from archive_colorizer.executors.allocation import ALONE, Team
from archive_colorizer.executors.cluster.config import Cluster
from archive_colorizer.executors.limits import NO_LIMITS, Limits
from archive_colorizer.records.jobs import Job
from archive_colorizer.records.outcomes import Outcome

Batch: TypeAlias = tuple[Job, ...]


Task: TypeAlias = Callable[[Batch], list[Outcome]]


@dataclass(frozen=True, slots=True)
class Lost:
    """A batch that did not come back, because the process that had it died.

    `timeout` says that it was ended because its time was over, and `innocent` that the
    machine left, whatever the batch was doing.
    """

    batch: Batch
    message: str
    timeout: bool = False
    innocent: bool = False


def out_of_time(batch: Batch, limits: Limits) -> Lost:
    """A batch that was ended because its time was over."""
    given = limits.seconds_for(batch)
    return Lost(batch, f"not finished after {given:g} s and stopped", timeout=True)


class Executor(Protocol):
    """Runs a task over batches, somewhere."""

    def map(self, task: Task, batches: Iterable[Batch]) -> Iterator[list[Outcome] | Lost]:
        """The task's answers as they come, in any order, or Lost, one for each batch.

        `batches` is pulled lazily, never more than a few ahead of what was yielded.  The
        task runs in another process or in this one, and must be picklable.
        """
        ...

    def close(self) -> None:
        """End all processes, at once if need be."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class SerialExecutor:
    """One batch after the other, in this process.

    It keeps no limits: only the end of a process ends a library that hangs in its own code,
    and this process is the run.
    """

    def __init__(
        self, workers: int, threads: int, limits: Limits = NO_LIMITS, team: Team = ALONE
    ) -> None:
        self.workers = workers
        self.threads = threads
        self.limits = limits
        self.team = team

    def map(self, task: Task, batches: Iterable[Batch]) -> Iterator[list[Outcome] | Lost]:
        for batch in batches:
            yield task(batch)

    def close(self) -> None:
        """Nothing to end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


EXECUTORS = {
    "serial": "archive_colorizer.executors.executor:SerialExecutor",
    "dask": "archive_colorizer.executors.local:DaskExecutor",
    "cluster": "archive_colorizer.executors.cluster.executor:ClusterExecutor",
}
"""Where each executor lives; imported only when it is asked for."""


def open_executor(
    name: str, workers: int, threads: int, limits: Limits = NO_LIMITS, team: Team | Cluster = ALONE
) -> Executor:
    """The executor called `name`, with `workers` processes of `threads` threads each.

    `limits` are kept by executors whose processes can be ended without ending the run, and
    only executors with processes have a team.  That of the one called cluster is a Cluster;
    with 0 workers all of it is used.

    Raises UsageError for an unknown name and DependencyError for a library that is missing.
    """
    if name not in EXECUTORS:
        raise UsageError(f"executor must be one of {', '.join(EXECUTORS)}, not {name!r}")
    module, _, kind = EXECUTORS[name].partition(":")
    make = getattr(importlib.import_module(module), kind)
    return cast(Executor, make(workers, threads, limits, team))


class KeptExecutor:
    """Another executor, whose processes stay when a run has nothing in flight at its end."""

    def __init__(self, inner: Executor) -> None:
        self._inner = inner
        self._flying = False

    def map(self, task: Task, batches: Iterable[Batch]) -> Iterator[list[Outcome] | Lost]:
        self._flying = True
        yield from self._inner.map(task, batches)
        self._flying = False

    def close(self) -> None:
        """End the processes only when they are at work that nobody waits for any more."""
        if self._flying:
            self.end()

    def end(self) -> None:
        """End the processes; a later `map` starts others."""
        self._inner.close()
        self._flying = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
