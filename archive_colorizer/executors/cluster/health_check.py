"""Check workers of a cluster before they get their first batch, and judge their reports."""

import pickle
import platform
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import Empty
from typing import Final
from uuid import uuid4

from archive_colorizer._version import __version__
from archive_colorizer.errors import ArchiveColorizerError, ClusterError
from archive_colorizer.executors.allocation import WorkerAllocation
from archive_colorizer.executors.cluster.client import SchedulerClient, fetch_result
from archive_colorizer.executors.cluster.config import Cluster
from archive_colorizer.executors.cluster.mounts import SharedMounts
from archive_colorizer.executors.limits import NO_LIMITS, Limits
from archive_colorizer.executors.sandbox import (
    SandboxSettings,
    run_in_sandbox,
    stop_sandboxes,
)
from archive_colorizer.executors.sandbox_request import SandboxCrash, SandboxRequest

_REPORT_TIMEOUT: Final = 60.0
"""Seconds for reports; a worker whose threads are all busy sends none."""
_ANSWER_TIMEOUT: Final = 5.0
_TRIAL_TIMEOUT: Final = 300.0
"""Seconds for a worker to open the model."""


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """What a worker must have: mounts, and a sandbox in which the `trial` succeeds."""

    run: str
    mounts: SharedMounts
    trial: bytes
    settings: SandboxSettings
    limits: Limits


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """The answer of a worker to a health check.

    worker: its name and host.  slots: batches that it can run at once; memory: bytes for each.
    error: why it cannot be used.  trial_result: text of the trial, or how its sandbox ended.
    """

    version: str
    worker: str
    slots: int = 0
    memory: int = 0
    error: ArchiveColorizerError | None = None
    trial_result: str | SandboxCrash = ""


def pack_call(function: Callable[[], object]) -> bytes:
    """Pickle a function without arguments as a request for a sandbox."""
    return pickle.dumps(partial(_call, function))


def _call(function: Callable[[], object], _set_deadline: object) -> object:
    return function()


def check_worker(check: HealthCheck) -> WorkerReport:
    """Check the worker that this runs in; the risky parts happen in a sandbox."""
    from distributed import get_worker
    from distributed.system import MEMORY_LIMIT

    worker = get_worker()
    who = f"{worker.name} on {platform.node()}"
    try:
        check.mounts.check()
    except ArchiveColorizerError as error:
        return WorkerReport(__version__, who, error=error)
    machine_memory = worker.memory_manager.memory_limit or MEMORY_LIMIT
    slots, memory = check.limits.compute_slots(machine_memory, worker.state.nthreads)
    answer = run_in_sandbox(check.run, SandboxRequest(check.trial, _TRIAL_TIMEOUT), check.settings)
    trial_result = answer if isinstance(answer, SandboxCrash) else pickle.loads(answer)  # noqa: S301 (from our sandbox)
    if isinstance(trial_result, ArchiveColorizerError):
        return WorkerReport(__version__, who, error=trial_result)
    return WorkerReport(__version__, who, slots, memory, trial_result=trial_result)


def find_rejection(answer: object, address: str) -> ArchiveColorizerError | None:
    """Return why a worker cannot be used, given its report or what it raised instead."""
    if not isinstance(answer, WorkerReport):
        cause = f"{type(answer).__name__}: {answer}"
        return ClusterError(
            f"worker {address}: cannot load archive-colorizer {__version__} ({cause[:300]}); "
            "install the same version on every worker"
        )
    worker = f"worker {answer.worker} ({address})"
    if answer.version != __version__:
        return ClusterError(
            f"{worker}: has archive-colorizer {answer.version}, and this run {__version__}; "
            "install the same version on every worker"
        )
    if answer.error is not None:
        return type(answer.error)(f"{worker}: {answer.error}")
    if isinstance(answer.trial_result, SandboxCrash):
        return ClusterError(
            f"{worker}: {answer.trial_result.message} before it had opened the model; "
            "see the worker's log"
        )
    return None


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """A worker, with its report or the error that excludes it, or neither if it is silent."""

    address: str
    threads: int
    report: WorkerReport | None = None
    error: ArchiveColorizerError | None = None


def inspect_workers(cluster: Cluster) -> Iterator[WorkerStatus]:
    """Check each worker's version and trial, and yield statuses as they come.

    Raises ClusterError if the scheduler cannot be reached, or has no worker.
    """
    run = uuid4().hex
    settings = SandboxSettings(WorkerAllocation(0))
    check = HealthCheck(run, SharedMounts(), pack_call(cluster.trial), settings, NO_LIMITS)
    client = SchedulerClient.connect(cluster)
    threads: dict[str, int] = {}
    try:
        threads = client.list_workers() or {}
        if not threads:
            raise ClusterError(f"the scheduler {cluster.scheduler} has no worker; start some")
        call = partial(check_worker, check)
        futures = [client.send(call, address, "check") for address in threads]
        pending = {future.key: address for future, address in zip(futures, threads, strict=True)}
        deadline = time.monotonic() + _REPORT_TIMEOUT
        with suppress(Empty):
            while pending:
                future = client.finished.get(timeout=max(0.0, deadline - time.monotonic()))
                address = pending.pop(future.key)
                answer = fetch_result(future, _ANSWER_TIMEOUT)
                if isinstance(answer, CancelledError | OSError):
                    yield WorkerStatus(address, threads[address])
                    continue
                report = answer if isinstance(answer, WorkerReport) else None
                rejection = find_rejection(answer, address)
                yield WorkerStatus(address, threads[address], report, rejection)
        client.cancel(futures)
        yield from (WorkerStatus(address, threads[address]) for address in pending.values())
    finally:
        client.run_on(partial(stop_sandboxes, run), threads, _ANSWER_TIMEOUT)
        client.close(_ANSWER_TIMEOUT)
