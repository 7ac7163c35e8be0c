"""Allocate the cores and GPUs of this machine to worker processes."""

from dataclasses import dataclass
from typing import Final

from archive_colorizer.device import Device, list_visible_gpus
from archive_colorizer.executors.threads import count_cores

MAX_THREADS_PER_WORKER: Final = 16
"""More threads in one process would wait for each other, since Python runs one at a time."""


@dataclass(frozen=True, slots=True)
class WorkerAllocation:
    """Worker processes, and their threads and GPUs.

    threads: that libraries may use for each picture.  threads_per_worker: each of them takes a
    batch.  gpus: values of `CUDA_VISIBLE_DEVICES`, one for each process in turn; empty if all
    processes see all GPUs.
    """

    workers: int
    threads: int = 1
    threads_per_worker: int = 1
    gpus: tuple[str, ...] = ()

    def get_gpu(self, worker: int) -> str | None:
        """Return the GPU of the worker with this number, counted from 0."""
        return self.gpus[worker % len(self.gpus)] if self.gpus else None


def allocate_cores(workers: int) -> WorkerAllocation:
    """Divide the cores of this machine among workers (0: one for each core)."""
    cores = count_cores()
    workers = workers or cores
    return WorkerAllocation(workers, max(1, cores // workers))


def allocate_gpus(workers: int, device: Device) -> WorkerAllocation:
    """Divide the GPUs of this machine among workers (0: one for each GPU).

    The cores become threads of the workers, which decode and encode while the GPU runs the
    network for others.  A GPU that was requested by number, or the only one, serves all.
    """
    gpus = list_visible_gpus() if device.index is None else ()
    workers = workers or max(1, len(gpus))
    threads_per_worker = min(MAX_THREADS_PER_WORKER, max(1, count_cores() // workers))
    return WorkerAllocation(workers, 1, threads_per_worker, gpus if len(gpus) > 1 else ())
