"""ClusterExecutor: the workers of a Dask cluster that is there already, and stays as it is."""

import pickle
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from queue import Empty, SimpleQueue
from typing import Any, Final, Self, cast
from uuid import uuid4

from archive_colorizer.errors import ArchiveColorizerError, DependencyError
from archive_colorizer.executors.cluster.client import Link
from archive_colorizer.executors.cluster.config import Cluster
from archive_colorizer.executors.cluster.health_check import Muster, order_of
from archive_colorizer.executors.cluster.mounts import Footing, marked
from archive_colorizer.executors.cluster.sandbox import Broken, Terms, end_lanes, work_in_lane
from archive_colorizer.executors.cluster.workers import Crew, Hand
from archive_colorizer.executors.dask_results import fetched
from archive_colorizer.executors.executor import Batch, Lost, Task, out_of_time
from archive_colorizer.executors.limits import NO_LIMITS, Limits
from archive_colorizer.executors.worker_guard import guarded
from archive_colorizer.records.outcomes import Outcome

_GLANCE: Final = 1.0
"""Seconds after which the crew is looked at, even when nothing arrives."""
_DEPARTURES: Final = 3
"""Workers that may leave while they have a batch; after that it is suspected, too."""
_PATIENCE: Final = 10.0
"""Seconds that the cluster gets for an answer, and to hear that the run is over."""
_NO_PATIENCE: Final = 5.0
"""The same when the run's work is not wanted any more."""


@dataclass(frozen=True, slots=True)
class _Flight:
    """A batch that is with a worker."""

    batch: Batch
    hand: Hand


class ClusterExecutor:
    """Batches go to workers that were looked at (see Crew), into processes of ours beside them.

    A picture that ends its process, or takes too long, costs the cluster nothing.  What a
    worker has that leaves is done again by others.
    """

    def __init__(
        self, workers: int, threads: int, limits: Limits = NO_LIMITS, cluster: Cluster | None = None
    ) -> None:
        """`workers` is the most batches at work at once, 0 for as many as there are threads.

        Raises DependencyError without dask; nothing is connected before the first batch.
        """
        if find_spec("distributed") is None:
            raise DependencyError("--scheduler needs dask[distributed]; install it")
        if cluster is None:
            raise DependencyError("the cluster executor needs a scheduler; give --scheduler")
        self._most = workers
        self._terms = Terms(threads, niceness=cluster.niceness)
        self._limits = limits
        self._cluster = cluster
        self._link: Link | None = None
        self._crew: Crew | None = None
        self._laid = ExitStack()
        self._run = ""
        self._arrived: SimpleQueue[Any] = SimpleQueue()
        self._flying: dict[str, _Flight] = {}
        # What nobody waits for any more, since its map was left before its end.
        self._stale: dict[str, _Flight] = {}
        self._departures: dict[str, int] = {}

    def map(self, task: Task, batches: Iterable[Batch]) -> Iterator[list[Outcome] | Lost]:
        """See Executor; raises what the task raises, and what is wrong with the cluster."""
        waiting = _Waiting(batches)
        if waiting.next is None:
            return
        crew = self._crew or self._start()
        self._stale.update(self._flying)
        self._flying.clear()
        while True:
            self._send_all(task, waiting, crew)
            if not self._flying:
                if waiting.next is None:
                    return
                if not crew.hands:
                    crew.gather(strict=False)
                continue
            answer = self._arrival(crew)
            if answer is not None:
                yield answer

    def close(self) -> None:
        """Take back what is not done, end the processes beside the workers, and hang up."""
        link, self._link = self._link, None
        crew, self._crew = self._crew, None
        if link is not None:
            patience = _NO_PATIENCE if self._flying else _PATIENCE
            link.cancel([one for hand in _hands(crew) for one in hand.futures.values()])
            link.tell(
                partial(end_lanes, self._run), [one.address for one in _hands(crew)], patience
            )
            link.close(patience)
        self._flying.clear()
        self._stale.clear()
        self._laid.close()

    def _start(self) -> Crew:
        """Connect, and look at every worker that is there."""
        self._run = uuid4().hex
        self._arrived = SimpleQueue()
        output = self._cluster.output
        mark = ("", "") if output is None else self._laid.enter_context(marked(output))
        self._link = Link(self._cluster)
        muster = partial(self._muster, *mark)
        self._crew = Crew(self._link, muster, self._arrived, self._cluster.tell)
        self._crew.gather(strict=True)
        return self._crew

    def _muster(self, mark: str, word: str) -> Muster:
        footing = Footing.at(self._cluster.roots, mark, word)
        trial = order_of(self._cluster.trial)
        return Muster(self._run, footing, trial, self._terms, self._limits)

    def _send_all(self, task: Task, waiting: "_Waiting", crew: Crew) -> None:
        """As much as the crew has room for; nothing is pulled before there is room."""
        while crew.has_room() and not 0 < self._most <= len(self._flying):
            batch = waiting.next
            found = crew.hand_for(batch, self._limits) if batch is not None else None
            if batch is None or found is None:
                return
            waiting.take()
            self._send(task, batch, *found)

    def _send(self, task: Task, batch: Batch, hand: Hand, shares: int) -> None:
        limits = replace(self._limits, memory=hand.memory * shares)
        order = pickle.dumps(partial(guarded, batch, task, limits))
        terms = replace(self._terms, memory=limits.memory)
        key = f"colorize-{self._run}-{uuid4().hex[:8]}"
        link = cast(Link, self._link)
        future = link.send(partial(work_in_lane, self._run, order, terms), hand.address, key)
        hand.take(key, shares, future)
        self._flying[key] = _Flight(batch, hand)
        future.add_done_callback(self._arrived.put)

    def _arrival(self, crew: Crew) -> list[Outcome] | Lost | None:
        """What came within a second, if anything did that is an answer."""
        try:
            future = self._arrived.get(timeout=_GLANCE)
        except Empty:
            crew.look()
            return None
        crew.look()
        key = future.key
        flight = self._flying.pop(key, None)
        known = flight or self._stale.pop(key, None)
        if known is None:
            crew.settle(future)
            return None
        known.hand.release(key)
        if flight is None:
            return None
        left = known.hand.address not in crew.hands
        answer = CancelledError() if left else fetched(future, _PATIENCE)
        return self._answer(answer, flight.batch)

    def _answer(self, answer: object, batch: Batch) -> list[Outcome] | Lost:
        if isinstance(answer, Broken):
            lost = Lost(batch, answer.message)
            return out_of_time(batch, self._limits) if answer.timeout else lost
        if not isinstance(answer, bytes):
            return self._departed(batch, answer)
        settled = pickle.loads(answer)  # noqa: S301 (from the run's own process)
        if isinstance(settled, ArchiveColorizerError):
            raise settled
        return cast(list[Outcome], settled)

    def _departed(self, batch: Batch, answer: object) -> Lost:
        """What a worker had that is not there any more is nobody's fault, at first."""
        name = batch[0].key
        self._departures[name] = self._departures.get(name, 0) + 1
        innocent = self._departures[name] <= _DEPARTURES
        said = f"the worker left the cluster ({type(answer).__name__})"
        return Lost(batch, said, innocent=innocent)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Waiting:
    """Batches of which the next can be seen before it is taken."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        self._rest = iter(batches)
        self._next: Batch | None = None

    @property
    def next(self) -> Batch | None:
        if self._next is None:
            self._next = next(self._rest, None)
        return self._next

    def take(self) -> None:
        self._next = None


def _hands(crew: Crew | None) -> list[Hand]:
    return [] if crew is None else list(crew.hands.values())
