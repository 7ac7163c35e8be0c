"""Run a Dask scheduler and its worker as threads of this process, which open no port."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from tempfile import TemporaryDirectory
from typing import Any, Final

import psutil

from archive_colorizer.errors import DependencyError
from archive_colorizer.executors.environment import mask_signals, suppress_logs

SETTINGS: Final[dict[str, Any]] = {
    # A clock that jumps, or a process that was stopped, must not lose the worker.
    "distributed.scheduler.worker-ttl": None,
    "distributed.scheduler.idle-timeout": None,
    "distributed.worker.lifetime.duration": None,
    "distributed.worker.profile.enabled": False,
    # Nobody sees these measurements, and each of them holds the GIL.
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.admin.system-monitor.interval": "60s",
    "distributed.admin.tick.interval": "10s",
    "distributed.admin.tick.cycle": "10s",
    "distributed.admin.tick.limit": "60s",
    "distributed.scheduler.active-memory-manager.start": False,
    # Logs for the dashboard, which grow to megabytes within hours.
    "distributed.admin.system-monitor.log-length": 10,
    "distributed.admin.low-level-log-length": 100,
    "distributed.admin.log-length": 100,
    "distributed.diagnostics.computations.max-history": 2,
    "distributed.diagnostics.erred-tasks.max-history": 10,
}

_CLOSE_TIMEOUT: Final = 5.0
"""Seconds for threads to end by themselves."""


@contextmanager
def start_local_cluster(slots: int) -> Iterator[Any]:
    """Yield a client of a new scheduler whose one worker runs `slots` calls at once.

    Raises DependencyError if the system has no room for them.
    """
    import dask
    import distributed

    library: Any = distributed
    suppress_logs()

    class PortlessScheduler(library.Scheduler):  # type: ignore[misc]
        def start_http_server(self, *_: object, **__: object) -> None: ...

    class PortlessWorker(library.Worker):  # type: ignore[misc]
        def start_http_server(self, *_: object, **__: object) -> None: ...

    options = {"protocol": "inproc://", "dashboard": False}
    worker_options = {**options, "nthreads": slots, "memory_limit": 0}
    with ExitStack() as stack:
        try:
            # Dask takes a predictable name in it, and opens whatever is there.
            folder = stack.enter_context(TemporaryDirectory(prefix="colorize-"))
            settings = {**SETTINGS, "temporary_directory": folder}
            stack.enter_context(dask.config.set(settings))
            with mask_signals():
                cluster = library.SpecCluster(
                    scheduler={"cls": PortlessScheduler, "options": options},
                    workers={0: {"cls": PortlessWorker, "options": worker_options}},
                    silence_logs=logging.CRITICAL,
                )
                stack.callback(_close_quietly, cluster)
                client = library.Client(cluster, set_as_default=False)
                stack.callback(_close_quietly, client)
        except (RuntimeError, TimeoutError, OSError, psutil.Error) as error:
            raise DependencyError(
                f"the queue of the workers cannot be started ({error}); check the limits of "
                "processes and memory, the room in the temporary folder and that /proc is there, "
                "or try --executor serial"
            ) from error
        yield client


def _close_quietly(resource: Any) -> None:
    with suppress(TimeoutError, OSError):
        resource.close(timeout=_CLOSE_TIMEOUT)
    resource.shutdown_on_close = False  # Python would close it again, and wait, at its end.
