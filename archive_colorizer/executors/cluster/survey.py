"""Survey: the workers of a cluster, looked at as a run looks at them before its first batch."""

import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Final
from uuid import uuid4

from archive_colorizer.errors import ArchiveColorizerError, ClusterError
from archive_colorizer.executors.cluster.client import Link
from archive_colorizer.executors.cluster.config import Cluster
from archive_colorizer.executors.cluster.health_check import (
    Muster,
    Report,
    order_of,
    report,
    trouble_with,
)
from archive_colorizer.executors.cluster.mounts import Footing
from archive_colorizer.executors.cluster.sandbox import Terms, end_lanes
from archive_colorizer.executors.dask_results import fetched
from archive_colorizer.executors.limits import NO_LIMITS

_BUSY: Final = 60.0
"""Seconds for reports: a worker whose threads are all at others' work gives none."""
_PATIENCE: Final = 5.0


@dataclass(frozen=True, slots=True)
class Surveyed:
    """One worker: where it is, its threads, and its report or the trouble with it, or neither.

    Neither is there of a worker that has not answered, or left; a run would begin without it.
    """

    address: str
    threads: int
    report: Report | None = None
    trouble: ArchiveColorizerError | None = None


def survey(cluster: Cluster) -> Iterator[Surveyed]:
    """Every worker that is there, as they answer; its version, and its trial beside it.

    Raises ClusterError when the scheduler cannot be reached, or has no worker.
    """
    run = uuid4().hex
    muster = Muster(run, Footing(), order_of(cluster.trial), Terms(1), NO_LIMITS)
    link = Link(cluster)
    threads: dict[str, int] = {}
    try:
        threads = link.workers() or {}
        if not threads:
            raise ClusterError(f"the scheduler {cluster.scheduler} has no worker; start some")
        arrived: SimpleQueue[Any] = SimpleQueue()
        asked = {f"colorize-muster-{uuid4().hex}": address for address in threads}
        # Kept, since Dask forgets what nobody holds.
        sent = [link.send(partial(report, muster), to, key) for key, to in asked.items()]
        for one in sent:
            one.add_done_callback(arrived.put)
        for future in _within(_BUSY, arrived, len(sent)):
            address = asked.pop(future.key)
            yield _surveyed(fetched(future, _PATIENCE), address, threads[address])
        link.cancel(sent)
        yield from (Surveyed(address, threads[address]) for address in asked.values())
    finally:
        link.tell(partial(end_lanes, run), threads, _PATIENCE)
        link.close(_PATIENCE)


def _within(seconds: float, arrived: "SimpleQueue[Any]", count: int) -> Iterator[Any]:
    """What arrives in this time, `count` at most."""
    end = time.monotonic() + seconds
    for _ in range(count):
        try:
            yield arrived.get(timeout=max(0.0, end - time.monotonic()))
        except Empty:
            return


def _surveyed(answer: object, address: str, threads: int) -> Surveyed:
    if isinstance(answer, CancelledError | OSError):
        return Surveyed(address, threads)
    trouble = trouble_with(answer, address)
    found = answer if isinstance(answer, Report) else None
    return Surveyed(address, threads, found, trouble)
