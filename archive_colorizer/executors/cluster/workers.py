"""Crew: the workers of a cluster that is not ours, each looked at before it is used."""

import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Final
from uuid import uuid4

from archive_colorizer.errors import ArchiveColorizerError, ClusterError, SourceError
from archive_colorizer.executors.cluster.client import Link
from archive_colorizer.executors.cluster.health_check import Muster, Report, report, trouble_with
from archive_colorizer.executors.dask_results import fetched
from archive_colorizer.executors.executor import Batch
from archive_colorizer.executors.limits import Limits, has_room

_AHEAD: Final = 1
"""Batches that a worker has beyond those at work, so that it need not wait for the next."""

_GLANCE: Final = 1.0
"""Seconds between two looks at who is there."""
_BUSY: Final = 60.0
"""Seconds that the first batch waits for reports of workers that are at others' work."""
_ALONE: Final = 300.0
"""Seconds without any worker after which the run ends."""


@dataclass(slots=True, eq=False)
class Hand:
    """A worker that may be used: for so many batches at once, each with so many bytes.

    `taken` are the shares of its memory by the keys of what it has, `futures` likewise.
    """

    address: str
    slots: int
    memory: int
    taken: dict[str, int] = field(default_factory=dict)
    futures: dict[str, Any] = field(default_factory=dict)

    @property
    def has_room(self) -> bool:
        return len(self.taken) < self.slots + _AHEAD

    @property
    def load(self) -> float:
        return len(self.taken) / self.slots

    def take(self, key: str, shares: int, future: Any) -> None:
        self.taken[key], self.futures[key] = shares, future

    def release(self, key: str) -> None:
        self.taken.pop(key, None)
        self.futures.pop(key, None)


class Crew:
    """Who is there and may be used; whoever joins later is looked at, too."""

    def __init__(
        self,
        link: Link,
        muster: Callable[[], Muster],
        arrived: "SimpleQueue[Any]",
        tell: Callable[[str], None],
    ) -> None:
        self.hands: dict[str, Hand] = {}
        self._link = link
        self._muster = muster
        self._arrived = arrived
        self._tell = tell
        self._seen: set[str] = set()
        self._asked: dict[str, tuple[str, Muster]] = {}
        self._looked = 0.0
        self._refused: ArchiveColorizerError | None = None

    def gather(self, strict: bool) -> None:
        """Wait until there is somebody who may be used, and all that are there have reported.

        `strict` raises why one of them may not be used; otherwise the others are used.  Raises
        ClusterError when there is nobody for a long time.
        """
        begun = time.monotonic()
        self.look()
        if not self._asked and not self.hands:
            self._tell("waiting for a worker")
        while self._asked or not self.hands:
            waited = time.monotonic() - begun
            if self.hands and waited > _BUSY:
                break
            if waited > _ALONE:
                last = f"; the last that came: {self._refused}" if self._refused else ""
                raise ClusterError(f"the cluster has no worker for this run{last}")
            with suppress(Empty):
                self.settle(self._arrived.get(timeout=_GLANCE), strict)
            self.look()

    def look(self) -> None:
        """See who came and who left, now and then; raises ClusterError as `Link.workers` does."""
        now = time.monotonic()
        if now - self._looked < _GLANCE:
            return
        self._looked = now
        there = self._link.workers()
        if there is None:
            return
        for address in self._seen - there.keys():
            self._seen.discard(address)
            hand = self.hands.pop(address, None)
            if hand is not None:
                # They arrive as cancelled; elsewhere nobody could do what was sent to it.
                self._link.cancel(hand.futures.values())
        for address in there.keys() - self._seen:
            self._ask(address)

    def settle(self, future: Any, strict: bool = False) -> None:
        """Take the report that a worker has sent, if that is what the future is."""
        address, muster = self._asked.pop(future.key, ("", None))
        if muster is None:
            return
        answer = fetched(future, _BUSY)
        if isinstance(answer, CancelledError | OSError):
            self._seen.discard(address)  # it left, or is asked again
            return
        trouble = trouble_with(answer, address)
        if trouble is None and isinstance(answer, Report):
            self.hands[address] = Hand(address, answer.slots, answer.memory)
        elif isinstance(trouble, SourceError) and not muster.footing.still_stands():
            self._seen.discard(address)
        elif trouble is not None:
            if strict:
                raise trouble
            self._refused = trouble
            self._tell(f"{trouble}; this worker is not used")

    def hand_for(self, batch: Batch, limits: Limits) -> tuple[Hand, int] | None:
        """Who takes the batch, and how many shares of its memory; None when nobody has room."""
        for hand in sorted(self._with_room(), key=lambda one: one.load):
            shares = replace(limits, memory=hand.memory).shares_for(batch, hand.slots)
            if has_room(shares, hand.taken.values(), hand.slots):
                return hand, shares
        return None

    def has_room(self) -> bool:
        return bool(self._with_room())

    def _with_room(self) -> list[Hand]:
        return [hand for hand in self.hands.values() if hand.has_room]

    def _ask(self, address: str) -> None:
        muster = self._muster()
        self._seen.add(address)
        key = f"colorize-muster-{uuid4().hex}"
        self._asked[key] = address, muster
        future = self._link.send(partial(report, muster), address, key)
        future.add_done_callback(self._arrived.put)
