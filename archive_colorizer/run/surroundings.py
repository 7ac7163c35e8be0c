"""What stands around a process or thread that a run begins: its environment, and its signals."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker


def environment(threads: int) -> dict[str, str]:
    """Set before a worker's first instruction: later, the libraries would not look."""
    return {
        # What a picture took is kept for the next one: giving it back to the system and having
        # it zeroed again takes as long as the picture.  Only large pieces go back at once.
        "MALLOC_MMAP_THRESHOLD_": str(16 << 20),
        "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "VIPS_CONCURRENCY": str(threads),
        "DASK_LOGGING__DISTRIBUTED": "critical",
    }


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
