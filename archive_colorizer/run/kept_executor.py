"""KeptExecutor: processes that outlive a run, for the next one that needs them."""

from collections.abc import Iterable, Iterator
from typing import Self

from archive_colorizer.executors.executor import Batch, Executor, Lost, Task
from archive_colorizer.records.jobs import Outcome


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
