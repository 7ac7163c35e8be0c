"""Run batches in sandboxes next to Dask workers: threads of this process, or a cluster's."""

import pickle
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from queue import Empty
from typing import Final, cast
from uuid import uuid4

from archive_colorizer.errors import ArchiveColorizerError, DependencyError
from archive_colorizer.executors.allocation import WorkerAllocation
from archive_colorizer.executors.cluster.client import SchedulerClient, fetch_result
from archive_colorizer.executors.cluster.config import Cluster
from archive_colorizer.executors.cluster.health_check import HealthCheck, pack_call
from archive_colorizer.executors.cluster.local import start_local_cluster
from archive_colorizer.executors.cluster.mounts import SharedMounts, write_marker
from archive_colorizer.executors.cluster.workers import WorkerPool, WorkerSlots
from archive_colorizer.executors.executor import (
    Batch,
    Executor,
    LostBatch,
    Task,
    report_timeout,
)
from archive_colorizer.executors.limits import Limits
from archive_colorizer.executors.sandbox import (
    SandboxSettings,
    open_pool,
    run_in_sandbox,
    stop_sandboxes,
)
from archive_colorizer.executors.sandbox_request import SandboxCrash, SandboxRequest
from archive_colorizer.executors.sandbox_server import run_with_limits
from archive_colorizer.records.outcomes import Outcome

_REFRESH_INTERVAL: Final = 1.0
"""Seconds after which the workers are refreshed although no answer came."""
_MAX_DEPARTURES: Final = 3
"""Workers that may leave during one batch before the batch is suspected."""
_CLOSE_TIMEOUT: Final = 10.0
"""Seconds for the cluster to answer, and to stop at the end of a run."""
_ABANDON_TIMEOUT: Final = 5.0
"""Seconds to stop if batches are abandoned."""


class DaskExecutor(Executor):
    """Sends batches to checked workers, which run them in sandboxes.

    A picture that crashes or hangs has no effect on the workers.  When one leaves, others
    repeat its batches.
    """

    def __init__(
        self, allocation: WorkerAllocation, limits: Limits, cluster: Cluster | None
    ) -> None:
        """Start nothing before the first batch; raises DependencyError without dask.

        Without a cluster, one worker is started as a thread, with the processes of `allocation`.
        """
        if find_spec("distributed") is None:
            raise DependencyError(
                "the dask executor needs dask[distributed]; install it or choose --executor serial"
            )
        self._allocation = allocation if cluster is None else replace(allocation, workers=0)
        self._max_batches = allocation.workers if cluster is not None else 0
        self._limits = limits
        self._cluster = cluster
        self._settings = SandboxSettings(self._allocation)
        self._client: SchedulerClient | None = None
        self._pool: WorkerPool | None = None
        self._resources = ExitStack()
        self._run = ""
        self._in_flight: dict[str, tuple[Batch, WorkerSlots]] = {}
        # Keys of batches of an earlier `map` that was not finished.
        self._abandoned: set[str] = set()
        self._departures: dict[str, int] = {}

    def map(self, task: Task, batches: Iterable[Batch]) -> Iterator[list[Outcome] | LostBatch]:
        """See Executor; also raises the errors of `SchedulerClient` and `WorkerPool`."""
        remaining = iter(batches)
        batch = next(remaining, None)
        if batch is None:
            return
        pool = self._pool or self._start(task)
        self._abandoned |= self._in_flight.keys()
        while True:
            batch = self._send_all(task, batch, remaining, pool)
            if self._in_flight.keys() - self._abandoned:
                answer = self._receive(pool)
                if answer is not None:
                    yield answer
            elif batch is None and (batch := next(remaining, None)) is None:
                return
            elif not pool.workers:
                pool.wait_for_workers(strict=False)

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
        self._resources.close()

    def _start(self, task: Task) -> WorkerPool:
        """Start or find the workers, and check all of a cluster."""
        self._run = uuid4().hex
        function = task.func if isinstance(task, partial) else task
        self._settings = replace(self._settings, modules=(function.__module__,))
        if self._cluster is None:
            self._pool = self._start_local()
        else:
            self._pool = self._connect(self._cluster)
        return self._pool

    def _start_local(self) -> WorkerPool:
        # Sandboxes load their modules while Dask is loaded here.
        pool = open_pool(self._run, self._settings)
        self._resources.callback(stop_sandboxes, self._run)
        with suppress(OSError):
            pool.prepare()
        slots = self._allocation.workers * self._allocation.threads_per_worker
        client = self._resources.enter_context(start_local_cluster(slots))
        self._client = SchedulerClient(client, "of this run")
        workers = WorkerPool(self._client)
        workers.add_local_worker(slots, self._limits)
        return workers

    def _connect(self, cluster: Cluster) -> WorkerPool:
        output = cluster.output
        marker = ("", "") if output is None else self._resources.enter_context(write_marker(output))
        self._settings = replace(self._settings, niceness=cluster.niceness)
        self._client = SchedulerClient.connect(cluster)

        def build_check() -> HealthCheck:
            mounts = SharedMounts.probe(cluster.roots, *marker)
            trial = pack_call(cluster.trial)
            return HealthCheck(self._run, mounts, trial, self._settings, self._limits)

        pool = self._pool = WorkerPool(self._client, build_check, cluster.notify)
        pool.wait_for_workers(strict=True)
        return pool

    def _send_all(
        self, task: Task, batch: Batch | None, remaining: Iterator[Batch], pool: WorkerPool
    ) -> Batch | None:
        """Send batches while workers have room; return one that was pulled and not sent."""
        while pool.has_room() and not 0 < self._max_batches <= len(self._in_flight):
            batch = next(remaining, None) if batch is None else batch
            choice = None if batch is None else pool.pick_worker(batch, self._limits)
            if batch is None or choice is None:
                break
            self._send(task, batch, *choice)
            batch = None
        return batch

    def _send(self, task: Task, batch: Batch, worker: WorkerSlots, shares: int) -> None:
        threads = self._allocation.threads_per_worker
        # Threads of one process share its memory.
        memory = worker.memory * (shares if threads == 1 else threads)
        limits = replace(self._limits, memory=memory if threads == 1 else 0)
        call = partial(run_with_limits, batch=batch, task=task, limits=limits)
        request = SandboxRequest(pickle.dumps(call), limits.compute_seconds(batch), memory)
        sandboxed = partial(run_in_sandbox, self._run, request, self._settings)
        future = cast(SchedulerClient, self._client).send(sandboxed, worker.address, self._run)
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
        sent = self._in_flight.pop(future.key, None)
        if sent is None:
            pool.accept_report(future)
            return None
        batch, worker = sent
        worker.release(future.key)
        if future.key in self._abandoned:
            return None
        has_left = worker.address not in pool.workers
        answer = CancelledError() if has_left else fetch_result(future, _CLOSE_TIMEOUT)
        if isinstance(answer, SandboxCrash) and answer.never_began:
            pool.reject(worker.address, answer.message)
            return LostBatch(batch, answer.message, worker_left=True)
        return self._read_answer(answer, batch)

    def _read_answer(self, answer: object, batch: Batch) -> list[Outcome] | LostBatch:
        if isinstance(answer, SandboxCrash):
            lost = LostBatch(batch, answer.message)
            return report_timeout(batch, self._limits) if answer.timeout else lost
        if not isinstance(answer, bytes):
            return self._handle_departure(batch, answer)
        result = pickle.loads(answer)  # noqa: S301 (from our sandbox)
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
