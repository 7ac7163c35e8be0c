"""DaskExecutor: local worker processes that are restarted when they die."""

import logging
import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from multiprocessing import active_children
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any, Self
from uuid import uuid4

from archive_colorizer.device import VISIBLE
from archive_colorizer.errors import DependencyError
from archive_colorizer.executors.allocation import ALONE, Team
from archive_colorizer.executors.dask_config import hear_less, settings
from archive_colorizer.executors.dask_results import answer_of
from archive_colorizer.executors.environment import (
    environment,
    prepare_origin,
    signals_held_back,
    silence,
)
from archive_colorizer.executors.executor import Batch, Lost, Task, out_of_time
from archive_colorizer.executors.limits import NO_LIMITS, Limits, has_room
from archive_colorizer.executors.worker_guard import can_refuse_memory, guarded, ran_out_of_time
from archive_colorizer.records.outcomes import Outcome

_AHEAD = 2
"""Batches in flight beyond one for each hand, so that none waits for its next."""

_PATIENCE = 5.0
"""Seconds that the processes get to end by themselves."""
_NO_PATIENCE = 1.0
"""The same when their work is not wanted any more."""


class DaskExecutor:
    """`workers` processes on this machine, reachable through the loopback interface only."""

    def __init__(
        self, workers: int, threads: int, limits: Limits = NO_LIMITS, team: Team = ALONE
    ) -> None:
        """Raises DependencyError without dask; processes start with the first batch only."""
        if find_spec("distributed") is None:
            raise DependencyError(
                "the dask executor needs dask[distributed]; install it or choose --executor serial"
            )
        self._workers = workers
        self._threads = threads
        self._limits = limits
        self._team = team
        self._hands = workers * team.hands
        self._notes = ""
        # Any, since only a part of the library is typed.
        self._cluster: Any = None
        self._client: Any = None
        self._settings = ExitStack()
        self._abandoned = False

    def map(self, task: Task, batches: Iterable[Batch]) -> Iterator[list[Outcome] | Lost]:
        """See Executor; raises what the task raises."""
        arrived: SimpleQueue[Any] = SimpleQueue()
        flying: dict[str, tuple[Batch, str, int]] = {}
        waiting = iter(batches)
        batch: Batch | None = None
        self._abandoned = True
        while True:
            while len(flying) < self._hands + _AHEAD:
                batch = next(waiting, None) if batch is None else batch
                if batch is None:
                    break
                if self._cluster is None:
                    self._start(task)
                shares = self._limits.shares_for(batch, self._hands)
                if not has_room(shares, [taken for *_, taken in flying.values()], self._hands):
                    break
                note = f"{self._notes}/{uuid4().hex}"
                future = self._send(task, batch, shares, note)
                flying[future.key] = batch, note, shares
                future.add_done_callback(arrived.put)
                batch = None
            if not flying:
                break
            future = arrived.get()
            sent, note, _ = flying.pop(future.key)
            answer = answer_of(future, sent)
            if isinstance(answer, Lost) and ran_out_of_time(note):
                answer = out_of_time(sent, self._limits)
            yield answer
        self._abandoned = False

    def _send(self, task: Task, batch: Batch, shares: int, note: str) -> Any:
        # Threads of one process have its memory in common.
        memory = self._limits.memory * shares if self._team.hands == 1 else 0
        limits = replace(self._limits, memory=memory)
        if self._team.cards:
            task = partial(_on_its_card, task=task, team=self._team)
        watched = partial(guarded, task=task, limits=limits, note=note)
        return self._client.submit(watched, batch, pure=False)

    def close(self) -> None:
        """End all processes, within seconds even when they are at work."""
        if self._cluster is None:
            return
        cluster, self._cluster = self._cluster, None
        nannies = list(cluster.workers.values())
        ours = _processes(nannies)
        if self._abandoned:
            for nanny in nannies:
                nanny.close_gracefully()  # or it would start another worker
            _kill(ours)
        for part in (self._client, cluster):
            with suppress(TimeoutError, OSError):
                part.close(timeout=_NO_PATIENCE if self._abandoned else _PATIENCE)
        cluster.shutdown_on_close = False  # no second try, with a wait, when Python ends
        _kill(ours | _processes(nannies))
        self._settings.close()

    def _start(self, task: Task) -> None:
        variables = environment(self._threads, self._team.hands)
        self._settings.enter_context(_environment_with(variables))
        with signals_held_back():
            prepare_origin(["distributed", _module_of(task)])
        # Late, so that both processes load what they need at the same time.
        import dask
        import distributed
        from distributed.system import MEMORY_LIMIT

        silence()
        nanny = {"distributed.nanny.pre-spawn-environ": variables}
        # Where a worker is refused memory file by file, one may have what the others leave.
        alone = can_refuse_memory() and self._team.hands == 1
        self._settings.enter_context(dask.config.set({**settings(refused=alone), **nanny}))
        self._notes = self._settings.enter_context(TemporaryDirectory(prefix="colorize-"))
        memory = self._limits.share(MEMORY_LIMIT, self._hands)
        self._limits = replace(self._limits, memory=memory)
        most = memory * (self._workers if alone else self._team.hands)
        library: Any = distributed
        try:
            with signals_held_back():
                self._cluster = library.LocalCluster(
                    n_workers=self._workers,
                    threads_per_worker=self._team.hands,
                    memory_limit=most,
                    security=_credentials(library),
                    processes=True,
                    host="127.0.0.1",
                    dashboard_address="127.0.0.1:0",
                    silence_logs=logging.CRITICAL,
                )
                hear_less(self._cluster.scheduler)
                self._client = library.Client(self._cluster, set_as_default=False)
        except (RuntimeError, TimeoutError, OSError) as error:
            raise DependencyError(
                f"the worker processes cannot be started ({error}); try --executor serial, and "
                'in a program begin runs below `if __name__ == "__main__":`'
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _module_of(task: Task) -> str:
    """Where the task's function stands, which a worker has to load."""
    return str((task.func if isinstance(task, partial) else task).__module__)


def _credentials(library: Any) -> Any:
    """For TLS between the processes: without, every user of this machine could send them code.

    They are made for this run and never stand on the disk.  None where they cannot be made,
    or where Dask's own configuration names some.
    """
    if library.Security().require_encryption or find_spec("cryptography") is None:
        return None
    return library.Security.temporary()


def _on_its_card(batch: Batch, task: Task, team: Team) -> list[Outcome]:
    """The task, in a process that sees its own card only; it has opened no network yet."""
    from distributed import get_worker

    worker: Any = get_worker()
    os.environ[VISIBLE] = team.card_of(int(worker.name)) or ""
    return task(batch)


@contextmanager
def _environment_with(variables: dict[str, str]) -> Iterator[None]:
    """Nannies leak what they set into this process, and prefer what they find in it."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _processes(nannies: Iterable[Any]) -> set[int]:
    """Those of these nannies' workers; another executor of this process has its own."""
    return {nanny.process.pid for nanny in nannies if nanny.process is not None}


def _kill(processes: Collection[int]) -> None:
    for child in active_children():
        if child.pid in processes:
            child.kill()
