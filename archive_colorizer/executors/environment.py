"""What stands around a process or thread that a run begins: origin, environment and signals."""

import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from typing import Final

ORIGIN: Final = "forkserver" if sys.platform == "linux" else "spawn"
"""How processes are begun.  Elsewhere, libraries of the system do not bear forking."""


def environment(threads: int, hands: int = 1) -> dict[str, str]:
    """Set before a worker's first instruction: later, the libraries would not look.

    hands: pictures that it works on at once, with so many threads each.
    """
    return {
        # What a picture took is kept for the next one: giving it back to the system and having
        # it zeroed again takes as long as the picture.  Only large pieces go back at once.
        "MALLOC_MMAP_THRESHOLD_": str(16 << 20),
        "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
        # Else each thread of libvips has a store of its own for what others have given back.
        "MALLOC_ARENA_MAX": str(threads * hands),
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "VIPS_CONCURRENCY": str(threads),
        "DASK_LOGGING__DISTRIBUTED": "critical",
    }


def prepare_origin(modules: Sequence[str]) -> None:
    """Begin the process from which workers are forked, with these modules loaded; do not wait.

    So they are loaded once and not by each worker, and while this process goes on.  It ends
    with this process.  To be called inside of `signals_held_back`, with the environment set.
    """
    if ORIGIN == "forkserver":
        multiprocessing.get_context(ORIGIN).set_forkserver_preload(list(modules))
        forkserver.ensure_running()


@contextmanager
def signals_held_back() -> Iterator[None]:
    """Threads and processes begun in here never see the signals that end a run.

    A terminal sends SIGINT and SIGHUP, and a service manager SIGTERM, to the workers as well;
    but it is the parent that stops the run, and the workers finish what they have in hand.
    """
    ours = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ours)
    try:
        # The first worker would start it, and starting it unblocks some of these again.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, ours)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def yield_to_others(niceness: int) -> None:
    """At least so nice from here on; threads and processes that are begun later are, too.

    Linux orders reads and writes of a disk by it as well.
    """
    if niceness > os.getpriority(os.PRIO_PROCESS, 0):
        os.setpriority(os.PRIO_PROCESS, 0, niceness)


def silence() -> None:
    """What a run has to say is said by the run; Dask's own words would tear its progress bar."""
    for name in ("distributed", "distributed.client", "tornado", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
