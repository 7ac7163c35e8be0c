"""Run batches in worker processes of this machine, which Dask restarts when they die."""

import logging
import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from multiprocessing import active_children
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from archive_colorizer.device import VISIBLE_DEVICES
from archive_colorizer.errors import DependencyError
from archive_colorizer.executors.allocation import WorkerAllocation
from archive_colorizer.executors.dask_results import receive_outcomes
from archive_colorizer.executors.environment import (
    build_dask_settings,
    build_environment,
    mask_signals,
    start_forkserver,
    suppress_logs,
)
from archive_colorizer.executors.executor import (
    Batch,
    Executor,
    LostBatch,
    Task,
    report_timeout,
)
from archive_colorizer.executors.limits import Limits, has_room
from archive_colorizer.executors.worker_guard import (
    can_refuse_memory,
    has_timed_out,
    run_with_limits,
)
from archive_colorizer.records.outcomes import Outcome

_EXTRA_BATCHES = 2
"""Batches in flight beyond one for each thread, so that no thread waits for its next."""

_CLOSE_TIMEOUT = 5.0
"""Seconds for processes to end by themselves."""
_ABANDON_TIMEOUT = 1.0
"""Seconds for processes that work on abandoned batches."""


class DaskExecutor(Executor):
    """Runs batches in `workers` processes, which listen on the loopback interface only."""

    def __init__(self, allocation: WorkerAllocation, limits: Limits, _: object = None) -> None:
        """Start nothing before the first batch; raises DependencyError without dask."""
        if find_spec("distributed") is None:
            raise DependencyError(
                "the dask executor needs dask[distributed]; install it or choose --executor serial"
            )
        self._allocation = allocation
        self._limits = limits
        self._slots = allocation.workers * allocation.threads_per_worker
        self._timeout_folder = ""
        # The library is only partly typed.
        self._cluster: Any = None
        self._client: Any = None
        self._settings = ExitStack()
        self._is_abandoned = False

    def map(self, task: Task, batches: Iterable[Batch]) -> Iterator[list[Outcome] | LostBatch]:
        finished: SimpleQueue[Any] = SimpleQueue()
        in_flight: dict[str, tuple[Batch, str, int]] = {}
        remaining = iter(batches)
        batch: Batch | None = None
        self._is_abandoned = True
        while True:
            while len(in_flight) < self._slots + _EXTRA_BATCHES:
                batch = next(remaining, None) if batch is None else batch
                if batch is None:
                    break
                if self._cluster is None:
                    self._start(task)
                shares = self._limits.count_shares(batch, self._slots)
                if not has_room(shares, [used for *_, used in in_flight.values()], self._slots):
                    break
                timeout_file = f"{self._timeout_folder}/{uuid4().hex}"
                future = self._send(task, batch, shares, timeout_file)
                in_flight[future.key] = batch, timeout_file, shares
                future.add_done_callback(finished.put)
                batch = None
            if not in_flight:
                break
            future = finished.get()
            sent_batch, timeout_file, _ = in_flight.pop(future.key)
            answer = receive_outcomes(future, sent_batch)
            if isinstance(answer, LostBatch) and has_timed_out(timeout_file):
                answer = report_timeout(sent_batch, self._limits)
            yield answer
        self._is_abandoned = False

    def _send(self, task: Task, batch: Batch, shares: int, timeout_file: str) -> Any:
        # Threads of one process share its memory.
        memory = self._limits.memory * shares if self._allocation.threads_per_worker == 1 else 0
        limits = replace(self._limits, memory=memory)
        if self._allocation.gpus:
            task = partial(_run_on_gpu, task=task, allocation=self._allocation)
        limited_task = partial(run_with_limits, task=task, limits=limits, timeout_file=timeout_file)
        return self._client.submit(limited_task, batch, pure=False)

    def close(self) -> None:
        if self._cluster is None:
            return
        cluster, self._cluster = self._cluster, None
        nannies = list(cluster.workers.values())
        own_processes = _list_processes(nannies)
        if self._is_abandoned:
            for nanny in nannies:
                nanny.close_gracefully()  # Otherwise it starts another worker.
            _kill(own_processes)
        for resource in (self._client, cluster):
            with suppress(TimeoutError, OSError):
                resource.close(timeout=_ABANDON_TIMEOUT if self._is_abandoned else _CLOSE_TIMEOUT)
        cluster.shutdown_on_close = False  # Python would close it again, and wait, at its end.
        _kill(own_processes | _list_processes(nannies))
        self._settings.close()

    def _start(self, task: Task) -> None:
        variables = build_environment(self._allocation.threads, self._allocation.threads_per_worker)
        self._settings.enter_context(_set_environment(variables))
        with mask_signals():
            function = task.func if isinstance(task, partial) else task
            start_forkserver(["distributed", function.__module__])
        # Imported here, so that both processes load their libraries at the same time.
        import dask
        import distributed
        from distributed.system import MEMORY_LIMIT

        suppress_logs()
        # If memory is refused for each file, a worker may use what the other workers do not.
        is_memory_refused = can_refuse_memory() and self._allocation.threads_per_worker == 1
        settings = build_dask_settings(variables, is_memory_refused)
        self._settings.enter_context(dask.config.set(settings))
        self._timeout_folder = self._settings.enter_context(TemporaryDirectory(prefix="colorize-"))
        memory = self._limits.get_worker_memory(MEMORY_LIMIT, self._slots)
        self._limits = replace(self._limits, memory=memory)
        allocation = self._allocation
        memory *= allocation.workers if is_memory_refused else allocation.threads_per_worker
        library: Any = distributed
        try:
            with mask_signals():
                self._cluster = library.LocalCluster(
                    n_workers=allocation.workers,
                    threads_per_worker=allocation.threads_per_worker,
                    memory_limit=memory,
                    security=_create_credentials(library),
                    processes=True,
                    host="127.0.0.1",
                    dashboard_address="127.0.0.1:0",
                    silence_logs=logging.CRITICAL,
                )
                self._client = library.Client(self._cluster, set_as_default=False)
        except (RuntimeError, TimeoutError, OSError) as error:
            raise DependencyError(
                f"the worker processes cannot be started ({error}); try --executor serial, and "
                'in a program begin runs below `if __name__ == "__main__":`'
            ) from error


def _create_credentials(library: Any) -> Any:
    """Create TLS credentials in memory, so that other users of this machine cannot send code.

    Returns None if that is impossible, or if Dask's own configuration names credentials.
    """
    if library.Security().require_encryption or find_spec("cryptography") is None:
        return None
    return library.Security.temporary()


def _run_on_gpu(batch: Batch, task: Task, allocation: WorkerAllocation) -> list[Outcome]:
    """Run the task in a process that sees one GPU; it has opened no network yet."""
    from distributed import get_worker

    worker: Any = get_worker()
    os.environ[VISIBLE_DEVICES] = allocation.get_gpu(int(worker.name)) or ""
    return task(batch)


@contextmanager
def _set_environment(variables: dict[str, str]) -> Iterator[None]:
    """Set variables here too, since nannies leak theirs and prefer those of this process."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _list_processes(nannies: Iterable[Any]) -> set[int]:
    return {nanny.process.pid for nanny in nannies if nanny.process is not None}


def _kill(processes: Collection[int]) -> None:
    for child in active_children():
        if child.pid in processes:
            child.kill()
