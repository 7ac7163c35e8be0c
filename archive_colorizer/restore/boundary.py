"""The boundary of one job: whatever goes wrong inside becomes a failed Outcome."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from archive_colorizer.errors import ArchiveColorizerError
from archive_colorizer.records import Job, Outcome, State, Workplace

Work: TypeAlias = Callable[[Job, Workplace, Outcome], Outcome]
"""Does a job; the Outcome that it is given holds what is known before."""


def settle(job: Job, workplace: Workplace, work: Work) -> Outcome:
    """What became of the job; never raises for what one source did."""
    begun = time.monotonic()
    failed = Outcome(
        key=job.key,
        name=job.name,
        state=State.FAILED,
        source_stamp=job.source.stamp,
        model_sha256=workplace.models_sha256,
        settings=workplace.settings,
        own=job.source.own,
    )
    try:
        outcome = work(job, workplace, failed)
    except ArchiveColorizerError as error:
        outcome = replace(failed, reason=error.reason, message=str(error))
    except MemoryError:
        said = f"{job.name}: out of memory; fewer --workers leave more for each"
        outcome = replace(failed, reason="memory", message=said)
    except Exception as error:
        said = f"{job.name}: {type(error).__name__}: {error}"
        outcome = replace(failed, reason="bug", message=said)
    return replace(outcome, seconds=round(time.monotonic() - begun, 4))
