"""Guard one job: whatever it raises becomes a failed Outcome."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias, TypeVar

from archive_colorizer.errors import ArchiveColorizerError, FailureReason
from archive_colorizer.records.jobs import Job, JobContext
from archive_colorizer.records.outcomes import Outcome, State

_Result = TypeVar("_Result")
_Failure = TypeVar("_Failure")

Work: TypeAlias = Callable[[Job, JobContext, Outcome], _Result]
"""Does a job; the Outcome holds what is known before the work."""


def run_guarded(job: Job, context: JobContext, work: Work[_Result]) -> _Result | Outcome:
    """Run `work` on the job and add its seconds; an exception becomes a failed Outcome."""
    start = time.monotonic()
    draft = draft_outcome(job, context)
    result = call_guarded(
        lambda: work(job, context, draft), lambda error: build_failure(job, context, error)
    )
    if isinstance(result, Outcome):
        return replace(result, seconds=round(time.monotonic() - start, 4))
    return result


def call_guarded(
    work: Callable[[], _Result], failed: Callable[[Exception], _Failure]
) -> _Result | _Failure:
    """Return what `work` returns, or what `failed` returns for its exception."""
    try:
        return work()
    except Exception as error:
        return failed(error)


def build_failure(job: Job, context: JobContext, error: Exception) -> Outcome:
    """Describe a job that failed with this exception."""
    outcome = replace(draft_outcome(job, context), errno=job.source.find_errno(error))
    if isinstance(error, ArchiveColorizerError):
        return replace(outcome, reason=error.reason, message=str(error))
    if isinstance(error, MemoryError):
        message = f"{job.name}: out of memory; fewer --workers leave more for each"
        return replace(outcome, reason=FailureReason.MEMORY, message=message)
    message = f"{job.name}: {type(error).__name__}: {error}"
    return replace(outcome, reason=FailureReason.BUG, message=message)


def draft_outcome(job: Job, context: JobContext) -> Outcome:
    """Describe what is known of a job before the work on it."""
    return Outcome(
        key=job.key,
        name=job.name,
        state=State.FAILED,
        source_stamp=job.source.stamp,
        beside=job.source.beside,
        model_sha256=context.models_sha256,
        settings=context.settings,
        own=job.source.own,
    )
