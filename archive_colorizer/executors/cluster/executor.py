"""Run batches on the workers of an existing Dask cluster."""

import pickle
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from queue import Empty
from typing import Final, cast
from uuid import uuid4

from archive_colorizer.errors import ArchiveColorizerError, DependencyError
from archive_colorizer.executors.allocation import WorkerAllocation
from archive_colorizer.executors.cluster.client import SchedulerClient
from archive_colorizer.executors.cluster.config import Cluster
from archive_colorizer.executors.cluster.health_check import HealthCheck, pack_call
from archive_colorizer.executors.cluster.mounts import SharedMounts, write_marker
from archive_colorizer.executors.cluster.sandbox import (
    SandboxCrash,
    SandboxLimits,
    run_in_sandbox,
    stop_sandboxes,
)
from archive_colorizer.executors.cluster.workers import WorkerPool, WorkerSlots
from archive_colorizer.executors.dask_results import fetch_result
from archive_colorizer.executors.executor import (
    Batch,
    Executor,
    LostBatch,
    Task,
    report_timeout,
)
from archive_colorizer.executors.limits import Limits
from archive_colorizer.executors.worker_guard import run_with_limits
from archive_colorizer.records.outcomes import Outcome

_REFRESH_INTERVAL: Final = 1.0
"""Seconds after which the workers are refreshed although no answer came."""
_MAX_DEPARTURES: Final = 3
"""Workers that may leave during one batch before the batch is suspected."""
_CLOSE_TIMEOUT: Final = 10.0
"""Seconds for the cluster to answer, and to stop at the end of a run."""
_ABANDON_TIMEOUT: Final = 5.0
"""Seconds to stop if batches are abandoned."""


class ClusterExecutor(Executor):
    """Sends batches to checked workers, which run them in sandboxes.

    A picture that crashes or hangs has no effect on the cluster.  When a worker leaves, others
    repeat its batches.
    """

    def __init__(
        self, allocation: WorkerAllocation, limits: Limits, cluster: Cluster | None
    ) -> None:
        """Connect to nothing before the first batch; raises DependencyError without dask."""
        if find_spec("distributed") is None:
            raise DependencyError("--scheduler needs dask[distributed]; install it")
        if cluster is None:
            raise DependencyError("the cluster executor needs a scheduler; give --scheduler")
        self._max_batches = allocation.workers
        self._sandbox_limits = SandboxLimits(allocation.threads, niceness=cluster.niceness)
        self._limits = limits
        self._cluster = cluster
        self._client: SchedulerClient | None = None
        self._pool: WorkerPool | None = None
        self._marker = ExitStack()
        self._run = ""
        self._in_flight: dict[str, tuple[Batch, WorkerSlots]] = {}
        # Batches of an earlier `map` that was not finished.
        self._abandoned: dict[str, tuple[Batch, WorkerSlots]] = {}
        self._departures: dict[str, int] = {}

    def map(self, task: Task, batches: Iterable[Batch]) -> Iterator[list[Outcome] | LostBatch]:
        """See Executor; also raises the errors of `SchedulerClient` and `WorkerPool`."""
        lookahead = _BatchLookahead(batches)
        if lookahead.next is None:
            return
        pool = self._pool or self._start()
        self._abandoned.update(self._in_flight)
        self._in_flight.clear()
        while True:
            self._send_all(task, lookahead, pool)
            if not self._in_flight:
                if lookahead.next is None:
                    return
                if not pool.workers:
                    pool.wait_for_workers(strict=False)
                continue
            answer = self._receive(pool)
            if answer is not None:
                yield answer

    def close(self) -> None:
        """Cancel batches, stop the sandboxes, and disconnect."""
        client, pool = self._client, self._pool
        self._client = self._pool = None
        if client is not None and pool is not None:
            timeout = _ABANDON_TIMEOUT if self._in_flight else _CLOSE_TIMEOUT
            workers = pool.workers.values()
            client.cancel([future for worker in workers for future in worker.futures.values()])
            client.run_on(partial(stop_sandboxes, self._run), pool.workers, timeout)
            client.close(timeout)
        self._in_flight.clear()
        self._abandoned.clear()
        self._marker.close()

    def _start(self) -> WorkerPool:
        """Connect, and check all workers."""
        self._run = uuid4().hex
        output = self._cluster.output
        marker = ("", "") if output is None else self._marker.enter_context(write_marker(output))
        self._client = SchedulerClient(self._cluster)
        build_check = partial(self._build_check, *marker)
        self._pool = WorkerPool(self._client, build_check, self._cluster.notify)
        self._pool.wait_for_workers(strict=True)
        return self._pool

    def _build_check(self, marker: str, token: str) -> HealthCheck:
        mounts = SharedMounts.probe(self._cluster.roots, marker, token)
        trial = pack_call(self._cluster.trial)
        return HealthCheck(self._run, mounts, trial, self._sandbox_limits, self._limits)

    def _send_all(self, task: Task, lookahead: "_BatchLookahead", pool: WorkerPool) -> None:
        """Send batches while workers have room, and pull no batch before."""
        while pool.has_room() and not 0 < self._max_batches <= len(self._in_flight):
            batch = lookahead.next
            choice = pool.pick_worker(batch, self._limits) if batch is not None else None
            if batch is None or choice is None:
                return
            lookahead.take()
            self._send(task, batch, *choice)

    def _send(self, task: Task, batch: Batch, worker: WorkerSlots, shares: int) -> None:
        limits = replace(self._limits, memory=worker.memory * shares)
        request = pickle.dumps(partial(run_with_limits, batch, task, limits))
        sandbox_limits = replace(self._sandbox_limits, memory=limits.memory)
        call = partial(run_in_sandbox, self._run, request, sandbox_limits)
        future = cast(SchedulerClient, self._client).send(call, worker.address, self._run)
        worker.add(future, shares)
        self._in_flight[future.key] = batch, worker

    def _receive(self, pool: WorkerPool) -> list[Outcome] | LostBatch | None:
        """Wait a second for an answer, and return it if it is one to a batch."""
        try:
            future = cast(SchedulerClient, self._client).finished.get(timeout=_REFRESH_INTERVAL)
        except Empty:
            pool.refresh()
            return None
        pool.refresh()
        is_abandoned = future.key in self._abandoned
        sent = (self._abandoned if is_abandoned else self._in_flight).pop(future.key, None)
        if sent is None:
            pool.accept_report(future)
            return None
        batch, worker = sent
        worker.release(future.key)
        if is_abandoned:
            return None
        has_left = worker.address not in pool.workers
        answer = CancelledError() if has_left else fetch_result(future, _CLOSE_TIMEOUT)
        return self._read_answer(answer, batch)

    def _read_answer(self, answer: object, batch: Batch) -> list[Outcome] | LostBatch:
        if isinstance(answer, SandboxCrash):
            lost = LostBatch(batch, answer.message)
            return report_timeout(batch, self._limits) if answer.timeout else lost
        if not isinstance(answer, bytes):
            return self._handle_departure(batch, answer)
        result = pickle.loads(answer)  # noqa: S301 (from the sandbox)
        if isinstance(result, ArchiveColorizerError):
            raise result
        return cast(list[Outcome], result)

    def _handle_departure(self, batch: Batch, answer: object) -> LostBatch:
        """Blame the departure on the batch only if it happens repeatedly."""
        name = batch[0].key
        self._departures[name] = self._departures.get(name, 0) + 1
        innocent = self._departures[name] <= _MAX_DEPARTURES
        message = f"the worker left the cluster ({type(answer).__name__})"
        return LostBatch(batch, message, worker_left=innocent)


class _BatchLookahead:
    """Batches of which the next can be inspected before it is removed."""

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
