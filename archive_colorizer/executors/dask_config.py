"""What Dask is told on this machine so that it costs little by the second."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from archive_colorizer.executors.environment import ORIGIN

_SETTINGS: Final[dict[str, Any]] = {
    # A batch is blamed at once: the driver retries its jobs alone, which is fairer.
    "distributed.scheduler.allowed-failures": 0,
    # Long, since a worker that yields to others may begin late on a busy machine.
    "distributed.scheduler.no-workers-timeout": "300s",
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.worker.multiprocessing-method": ORIGIN,
    # Pictures are memory that Dask does not manage: pausing would wait for ever.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
    "distributed.worker.profile.enabled": False,
    # Looks at the process that nobody sees, each of which takes Python's lock from the work.
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.admin.system-monitor.interval": "60s",
    "distributed.admin.tick.interval": "10s",
    "distributed.admin.tick.cycle": "10s",
    "distributed.admin.tick.limit": "60s",
    # Nothing of ours is copied from worker to worker.
    "distributed.scheduler.active-memory-manager.start": False,
    # What Dask notes of itself for its dashboard: hours of it are megabytes.
    "distributed.admin.system-monitor.log-length": 10,
    "distributed.admin.low-level-log-length": 100,
    "distributed.admin.log-length": 100,
    "distributed.diagnostics.computations.max-history": 2,
    "distributed.diagnostics.erred-tasks.max-history": 10,
}

_WATCH: Final = "distributed.worker.memory.monitor-interval"
"""How often a nanny looks at its worker's memory."""

HEARTBEAT: Final = 5.0
"""Seconds.  A worker that dies is noticed by its connection at once, without any."""

_DUE: Final = "heartbeat-interval"

Answer: TypeAlias = dict[str, Any]


def settings(refused: bool) -> dict[str, Any]:
    """Dask's settings for a cluster of one run.

    Nannies look at memory ten times a second, or twice where workers are `refused` it before.
    """
    return {**_SETTINGS, _WATCH: "500ms" if refused else "100ms"}


def hear_less(scheduler: Any) -> None:
    """Let a scheduler in this process ask its workers for fewer heartbeats than two a second.

    Each takes milliseconds of both, and Dask has no setting for it: the scheduler says in its
    answer when the next one is due.
    """
    hear: Callable[..., Answer] = scheduler.handlers["heartbeat_worker"]

    def answer(**said: Any) -> Answer:
        answer = hear(**said)
        return {**answer, _DUE: HEARTBEAT} if _DUE in answer else answer

    scheduler.handlers["heartbeat_worker"] = answer
