"""Muster: the look at a worker before it gets its first batch, and what its answer means."""

import pickle
import platform
from collections.abc import Callable
from dataclasses import dataclass

from archive_colorizer._version import __version__
from archive_colorizer.errors import ArchiveColorizerError, ClusterError
from archive_colorizer.executors.cluster.mounts import Footing
from archive_colorizer.executors.cluster.sandbox import Broken, Terms, work_in_lane
from archive_colorizer.executors.limits import Limits


@dataclass(frozen=True, slots=True)
class Muster:
    """What is asked of a worker: its footing, and a trial (an order) in a lane beside it."""

    run: str
    footing: Footing
    trial: bytes
    terms: Terms
    limits: Limits


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker says of itself.

    slots: batches that it takes at once.  memory: bytes for each.  trouble: why it cannot
    work.  words: what the trial said, or how its lane ended.
    """

    version: str
    who: str
    slots: int = 0
    memory: int = 0
    trouble: ArchiveColorizerError | None = None
    words: str | Broken = ""


def order_of(do: Callable[[], object]) -> bytes:
    """A function without arguments as an order for a lane."""
    return pickle.dumps(_Order(do))


@dataclass(frozen=True, slots=True)
class _Order:
    do: Callable[[], object]

    def __call__(self, _note: str) -> object:
        return self.do()


def report(muster: Muster) -> Report:
    """Runs in a thread of the worker, which is not ours; what may hurt happens in a lane."""
    from distributed import get_worker
    from distributed.system import MEMORY_LIMIT

    worker = get_worker()
    who = f"{worker.name} on {platform.node()}"
    try:
        muster.footing.check()
    except ArchiveColorizerError as error:
        return Report(__version__, who, trouble=error)
    machine = worker.memory_manager.memory_limit or MEMORY_LIMIT
    slots, memory = muster.limits.slots(machine, worker.state.nthreads)
    tried = work_in_lane(muster.run, muster.trial, muster.terms)
    said = tried if isinstance(tried, Broken) else pickle.loads(tried)  # noqa: S301 (our lane's)
    if isinstance(said, ArchiveColorizerError):
        return Report(__version__, who, trouble=said)
    return Report(__version__, who, slots, memory, words=said)


def trouble_with(answer: object, address: str) -> ArchiveColorizerError | None:
    """Why a worker cannot be used, after its name; `answer` is its report or what it raised."""
    if not isinstance(answer, Report):
        said = f"{type(answer).__name__}: {answer}"
        return ClusterError(
            f"worker {address}: cannot load archive-colorizer {__version__} ({said[:300]}); "
            "install the same version on every worker"
        )
    who = f"worker {answer.who} ({address})"
    if answer.version != __version__:
        return ClusterError(
            f"{who}: has archive-colorizer {answer.version}, and this run {__version__}; "
            "install the same version on every worker"
        )
    if answer.trouble is not None:
        return type(answer.trouble)(f"{who}: {answer.trouble}")
    if isinstance(answer.words, Broken):
        return ClusterError(
            f"{who}: {answer.words.message} before it had opened the model; see the worker's log"
        )
    return None
