"""Track the Dask workers of a run, and check each of a cluster before it is used."""

import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from queue import Empty
from typing import Any, Final

from archive_colorizer.errors import (
    ArchiveColorizerError,
    ClusterError,
    DependencyError,
    SourceError,
)
from archive_colorizer.executors.cluster.client import SchedulerClient, fetch_result
from archive_colorizer.executors.cluster.health_check import (
    HealthCheck,
    WorkerReport,
    check_worker,
    find_rejection,
)
from archive_colorizer.executors.executor import Batch
from archive_colorizer.executors.limits import Limits, has_room

_EXTRA_BATCHES: Final = 2
"""Batches that a worker has queued, at most one a slot, so that no slot waits for its next."""

_REFRESH_INTERVAL: Final = 1.0
"""Seconds between two requests for the list of workers."""
_REPORT_TIMEOUT: Final = 60.0
"""Seconds that the first batch waits for reports of busy workers."""
_NO_WORKER_TIMEOUT: Final = 300.0
"""Seconds without any worker after which the run ends."""


@dataclass(slots=True, eq=False)
class WorkerSlots:
    """A worker that passed its check, with its batches by key.

    memory: bytes for each of its slots.  used_shares: slots whose memory a batch needs.
    """

    address: str
    slots: int
    memory: int
    used_shares: dict[str, int] = field(default_factory=dict)
    futures: dict[str, Any] = field(default_factory=dict)

    @property
    def has_room(self) -> bool:
        return len(self.used_shares) < self.slots + min(self.slots, _EXTRA_BATCHES)

    @property
    def load(self) -> float:
        return len(self.used_shares) / self.slots

    def add(self, future: Any, shares: int) -> None:
        self.used_shares[future.key], self.futures[future.key] = shares, future

    def release(self, key: str) -> None:
        self.used_shares.pop(key, None)
        self.futures.pop(key, None)


class WorkerPool:
    """The workers that may be used, including those that join later."""

    def __init__(
        self,
        client: SchedulerClient,
        build_check: Callable[[], HealthCheck] | None = None,
        notify: Callable[[str], object] = str,
    ) -> None:
        """Without `build_check`, no worker joins by itself."""
        self.workers: dict[str, WorkerSlots] = {}
        self._client = client
        self._build_check = build_check
        self._notify = notify
        self._known_addresses: set[str] = set()
        self._pending_checks: dict[str, tuple[str, HealthCheck]] = {}
        self._refreshed_at = 0.0
        self._last_rejection: ArchiveColorizerError | None = None

    def add_local_worker(self, slots: int, limits: Limits) -> None:
        """Add the one worker that is a thread of this process."""
        from distributed.system import MEMORY_LIMIT

        memory = limits.get_worker_memory(MEMORY_LIMIT, slots)
        for address in self._client.list_workers() or ():
            self.workers[address] = WorkerSlots(address, slots, memory)

    def reject(self, address: str, reason: str) -> None:
        """Use a worker no more; raises DependencyError if there can be no other."""
        if self.workers.pop(address, None) is None:
            return
        if self._build_check is None:
            raise DependencyError(
                f"{reason}; check the limits of processes and memory, then run the same command "
                "again"
            )
        self._last_rejection = ClusterError(f"worker {address}: {reason}")
        self._notify(f"{self._last_rejection}; this worker is not used")

    def wait_for_workers(self, strict: bool) -> None:
        """Wait until there is a usable worker and all workers have reported.

        strict: raise the error of a rejected worker, instead of using the others.  Raises
        ClusterError if there is no worker for a long time.
        """
        started = time.monotonic()
        self.refresh()
        if not self._pending_checks and not self.workers:
            self._notify("waiting for a worker")
        while self._pending_checks or not self.workers:
            waited = time.monotonic() - started
            if self.workers and waited > _REPORT_TIMEOUT:
                break
            if waited > _NO_WORKER_TIMEOUT:
                rejection = self._last_rejection
                detail = f"; the last that came: {rejection}" if rejection else ""
                raise ClusterError(f"the cluster has no worker for this run{detail}")
            with suppress(Empty):
                self.accept_report(self._client.finished.get(timeout=_REFRESH_INTERVAL), strict)
            self.refresh()

    def refresh(self) -> None:
        """Update the workers, at most once a second; raises ClusterError."""
        now = time.monotonic()
        if self._build_check is None or now - self._refreshed_at < _REFRESH_INTERVAL:
            return
        self._refreshed_at = now
        addresses = self._client.list_workers()
        if addresses is None:
            return
        for address in self._known_addresses - addresses.keys():
            self._known_addresses.discard(address)
            worker = self.workers.pop(address, None)
            if worker is not None:
                # Their futures become cancelled, since no other worker may run them.
                self._client.cancel(worker.futures.values())
        for address in addresses.keys() - self._known_addresses:
            check = self._build_check()
            self._known_addresses.add(address)
            future = self._client.send(partial(check_worker, check), address, "check")
            self._pending_checks[future.key] = address, check

    def accept_report(self, future: Any, strict: bool = False) -> None:
        """Accept or reject a worker, if the future holds its report."""
        address, check = self._pending_checks.pop(future.key, ("", None))
        if check is None:
            return
        answer = fetch_result(future, _REPORT_TIMEOUT)
        if isinstance(answer, CancelledError | OSError):
            self._known_addresses.discard(address)  # It left or will be checked again.
            return
        rejection = find_rejection(answer, address)
        if rejection is None and isinstance(answer, WorkerReport):
            self.workers[address] = WorkerSlots(address, answer.slots, answer.memory)
        elif isinstance(rejection, SourceError) and not check.mounts.is_unchanged():
            self._known_addresses.discard(address)
        elif rejection is not None:
            if strict:
                raise rejection
            self._last_rejection = rejection
            self._notify(f"{rejection}; this worker is not used")

    def pick_worker(self, batch: Batch, limits: Limits) -> tuple[WorkerSlots, int] | None:
        """Pick a worker with room for the batch, and the slots whose memory the batch needs."""
        for worker in sorted(self._find_free_workers(), key=lambda candidate: candidate.load):
            shares = replace(limits, memory=worker.memory).count_shares(batch, worker.slots)
            if has_room(shares, worker.used_shares.values(), worker.slots):
                return worker, shares
        return None

    def has_room(self) -> bool:
        return bool(self._find_free_workers())

    def _find_free_workers(self) -> list[WorkerSlots]:
        return [worker for worker in self.workers.values() if worker.has_room]
