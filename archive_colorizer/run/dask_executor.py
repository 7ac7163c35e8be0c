"""DaskExecutor: local worker processes that are restarted when they die.  The only door of dask."""

import logging
import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from queue import SimpleQueue
from typing import Any, Self, cast

from archive_colorizer.errors import DependencyError
from archive_colorizer.records import Outcome
from archive_colorizer.run.executor import Batch, Lost, Task

_AHEAD = 2
"""Batches in flight beyond one for each worker, so that none waits for its next."""

_PATIENCE = 5.0
"""Seconds that the processes get to end by themselves."""

_SETTINGS: dict[str, Any] = {
    # A batch is blamed at once: the driver retries its jobs alone, which is fairer.
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.no-workers-timeout": "60s",
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.worker.multiprocessing-method": "spawn",
    # Pictures are memory that Dask does not manage: pausing would wait for ever.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.version-check": False,
}


class DaskExecutor:
    """`workers` processes on this machine, reachable through the loopback interface only."""

    def __init__(self, workers: int, threads: int) -> None:
        """Raises DependencyError without dask; processes start with the first batch only."""
        if find_spec("distributed") is None:
            raise DependencyError(
                "the dask executor needs dask[distributed]; install it or choose --executor serial"
            )
        self._workers = workers
        self._threads = threads
        # Any, since only a part of the library is typed.
        self._cluster: Any = None
        self._client: Any = None
        self._settings = ExitStack()
        self._abandoned = False

    def map(self, task: Task, batches: Iterable[Batch]) -> Iterator[list[Outcome] | Lost]:
        """See Executor; raises what the task raises."""
        arrived: SimpleQueue[Any] = SimpleQueue()
        flying: dict[str, Batch] = {}
        waiting = iter(batches)
        self._abandoned = True
        while True:
            while len(flying) < self._workers + _AHEAD:
                batch = next(waiting, None)
                if batch is None:
                    break
                if self._cluster is None:
                    self._start()
                future = self._client.submit(task, batch, pure=False)
                flying[future.key] = batch
                future.add_done_callback(arrived.put)
            if not flying:
                break
            future = arrived.get()
            yield _answer(future, flying.pop(future.key))
        self._abandoned = False

    def close(self) -> None:
        """End all processes, within seconds even when they are at work."""
        if self._cluster is None:
            return
        cluster, self._cluster = self._cluster, None
        pids = [nanny.pid for nanny in cluster.workers.values()]
        if self._abandoned:
            for nanny in cluster.workers.values():
                nanny.auto_restart = False
            _kill(pids)
        for part in (self._client, cluster):
            with suppress(TimeoutError, OSError):
                part.close(timeout=_PATIENCE)
        _kill(pids)
        self._settings.close()

    def _start(self) -> None:
        import dask
        import distributed

        _silence()
        environment = {"distributed.nanny.pre-spawn-environ": _environment(self._threads)}
        self._settings.enter_context(dask.config.set({**_SETTINGS, **environment}))
        library: Any = distributed
        with _signals_held_back():
            self._cluster = library.LocalCluster(
                n_workers=self._workers,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
            )
            self._client = library.Client(self._cluster, set_as_default=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _answer(future: Any, batch: Batch) -> list[Outcome] | Lost:
    """The task's answer; everything that is the process's fault and not the task's is Lost."""
    from distributed import KilledWorker
    from distributed.scheduler import NoWorkerError

    if future.status == "finished":
        return cast(list[Outcome], future.result())
    if future.status != "error":
        return Lost(batch, f"the batch was {future.status}")
    error = future.exception()
    if isinstance(error, KilledWorker):
        return Lost(batch, "the worker process died")
    if isinstance(error, NoWorkerError):
        raise DependencyError("no worker process could be started; try --executor serial")
    raise error


def _environment(threads: int) -> dict[str, str]:
    """Set before a worker's first instruction: later, the libraries would not look."""
    return {
        "MALLOC_TRIM_THRESHOLD_": "65536",
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "VIPS_CONCURRENCY": str(threads),
        "DASK_LOGGING__DISTRIBUTED": "critical",
    }


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """Threads and processes begun in here never see the signals that end a run.

    A terminal sends SIGINT and SIGHUP, and a service manager SIGTERM, to the workers as well;
    but it is the parent that stops the run, and the workers finish what they have in hand.
    """
    ours = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ours)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _silence() -> None:
    """What a run has to say is said by the run; Dask's own words would tear its progress bar."""
    for name in ("distributed", "tornado", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _kill(pids: Iterable[int | None]) -> None:
    for pid in pids:
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
