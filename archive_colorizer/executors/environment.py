"""Prepare what worker processes inherit: environment, signals and priority."""

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_ENDING_SIGNALS: Final = frozenset(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


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
    }


def block_signals() -> None:
    """Block the signals that end a run in this thread, and in what it starts."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING_SIGNALS)


@contextmanager
def mask_signals() -> Iterator[None]:
    """Block the signals that end a run in threads and processes that are started inside.

    Terminals and service managers signal the workers as well, but only the parent may stop
    the run, so that workers finish their batches.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def lower_priority(niceness: int) -> None:
    """Raise the niceness of this process and its future children to at least `niceness`.

    Linux also prioritizes disk access by it.
    """
    if hasattr(os, "getpriority") and niceness > os.getpriority(os.PRIO_PROCESS, 0):
        os.setpriority(os.PRIO_PROCESS, 0, niceness)


def suppress_logs() -> None:
    """Silence Dask, whose messages would break the progress bar."""
    for name in ("distributed", "distributed.client", "tornado", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
