"""The boundary of one job: whatever goes wrong inside becomes a failed Outcome."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias, TypeVar

from archive_colorizer.errors import ArchiveColorizerError
from archive_colorizer.records.jobs import Job, Workplace
from archive_colorizer.records.outcomes import Outcome, State

_Made = TypeVar("_Made")
_Failed = TypeVar("_Failed")

Work: TypeAlias = Callable[[Job, Workplace, Outcome], _Made]
"""Does a job; the Outcome that it is given holds what is known before."""


def settle(job: Job, workplace: Workplace, work: Work[_Made]) -> _Made | Outcome:
    """What `work` made of the job, or how it failed; never raises for what one source did."""
    begun = time.monotonic()
    known = _failed(job, workplace)
    made = attempt(
        lambda: work(job, workplace, known), lambda error: failure(job, workplace, error)
    )
    if isinstance(made, Outcome):
        return replace(made, seconds=round(time.monotonic() - begun, 4))
    return made


def attempt(work: Callable[[], _Made], failed: Callable[[Exception], _Failed]) -> _Made | _Failed:
    """What `work` makes, or what `failed` makes of that which it raises."""
    try:
        return work()
    except Exception as error:
        return failed(error)


def failure(job: Job, workplace: Workplace, error: Exception) -> Outcome:
    """What became of a job that this was raised for."""
    failed = _failed(job, workplace)
    if isinstance(error, ArchiveColorizerError):
        return replace(failed, reason=error.reason, message=str(error))
    if isinstance(error, MemoryError):
        said = f"{job.name}: out of memory; fewer --workers leave more for each"
        return replace(failed, reason="memory", message=said)
    return replace(failed, reason="bug", message=f"{job.name}: {type(error).__name__}: {error}")


def _failed(job: Job, workplace: Workplace) -> Outcome:
    return Outcome(
        key=job.key,
        name=job.name,
        state=State.FAILED,
        source_stamp=job.source.stamp,
        beside=job.source.beside,
        model_sha256=workplace.models_sha256,
        settings=workplace.settings,
        own=job.source.own,
    )
