"""Prepare what worker processes inherit: environment, signals, priority and start method."""

import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from typing import Any, Final

START_METHOD: Final = "forkserver" if sys.platform == "linux" else "spawn"
"""Method of multiprocessing; on other systems, forked processes break system libraries."""

_DASK_SETTINGS: Final[dict[str, Any]] = {
    # The driver retries the jobs of a lost batch one by one, which finds the guilty one.
    "distributed.scheduler.allowed-failures": 0,
    # A worker of low priority may start late on a busy machine.
    "distributed.scheduler.no-workers-timeout": "300s",
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.worker.multiprocessing-method": START_METHOD,
    # Dask does not manage the memory of pictures, so a paused worker would wait for ever.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
    "distributed.worker.profile.enabled": False,
    # Nobody sees these measurements, and each of them holds the GIL.
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.admin.system-monitor.interval": "60s",
    "distributed.admin.tick.interval": "10s",
    "distributed.admin.tick.cycle": "10s",
    "distributed.admin.tick.limit": "60s",
    # Workers never exchange data.
    "distributed.scheduler.active-memory-manager.start": False,
    # Logs for the dashboard, which grow to megabytes within hours.
    "distributed.admin.system-monitor.log-length": 10,
    "distributed.admin.low-level-log-length": 100,
    "distributed.admin.log-length": 100,
    "distributed.diagnostics.computations.max-history": 2,
    "distributed.diagnostics.erred-tasks.max-history": 10,
}


def build_environment(threads: int, concurrency: int = 1) -> dict[str, str]:
    """Build variables that must be set before a worker starts, when its libraries read them.

    concurrency: pictures that the worker restores at once, with `threads` threads each.
    """
    return {
        # Keep freed memory for the next picture, since the system takes as long to zero pages
        # as the picture takes to restore.  Only large blocks are returned at once.
        "MALLOC_MMAP_THRESHOLD_": str(16 << 20),
        "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
        # Prevent each thread of libvips from keeping freed memory of its own.
        "MALLOC_ARENA_MAX": str(threads * concurrency),
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "VIPS_CONCURRENCY": str(threads),
        "DASK_LOGGING__DISTRIBUTED": "critical",
    }


def start_forkserver(modules: Sequence[str]) -> None:
    """Start the process from which workers are forked, without waiting for it.

    It loads these modules once for all workers, and ends with this process.  To be called
    inside `mask_signals`, with the environment set.
    """
    if START_METHOD == "forkserver":
        multiprocessing.get_context(START_METHOD).set_forkserver_preload(list(modules))
        forkserver.ensure_running()


@contextmanager
def mask_signals() -> Iterator[None]:
    """Block the signals that end a run in threads and processes that are started inside.

    Terminals and service managers signal the workers as well, but only the parent may stop
    the run, so that workers finish their batches.
    """
    ending_signals = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ending_signals)
    try:
        # Otherwise the first worker starts it, which unblocks some of these signals.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, ending_signals)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def lower_priority(niceness: int) -> None:
    """Raise the niceness of this process and its future children to at least `niceness`.

    Linux also prioritizes disk access by it.
    """
    if niceness > os.getpriority(os.PRIO_PROCESS, 0):
        os.setpriority(os.PRIO_PROCESS, 0, niceness)


def suppress_logs() -> None:
    """Silence Dask, whose messages would break the progress bar."""
    for name in ("distributed", "distributed.client", "tornado", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def build_dask_settings(variables: dict[str, str], is_memory_refused: bool) -> dict[str, Any]:
    """Build Dask's settings for workers with these environment variables.

    is_memory_refused: whether workers are refused memory in the first place, so that nannies
    need to check it less often.
    """
    return {
        **_DASK_SETTINGS,
        "distributed.nanny.pre-spawn-environ": variables,
        "distributed.worker.memory.monitor-interval": "500ms" if is_memory_refused else "100ms",
    }
