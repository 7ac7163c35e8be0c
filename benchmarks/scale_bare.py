"""A whole run in which the work on a picture is next to nothing: what is left is the run's own.

`python -m benchmarks.scale_bare SCANS OUT WORKERS`: plan, processes, delivery and manifest are
those of `archive-colorize run`; the task delivers each file's own bytes as its result.
"""

import hashlib
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from archive_colorizer.discovery.walk import walk
from archive_colorizer.output.deliver import deliver_all
from archive_colorizer.output.deliveries import PendingResult
from archive_colorizer.output.journal import WorkFolder
from archive_colorizer.pipeline.request import RunRequest
from archive_colorizer.pipeline.run_session import ignore_message, open_session
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Job, JobContext
from archive_colorizer.records.outcomes import Measures, Outcome, State
from archive_colorizer.restore.outcome_boundary import run_guarded
from archive_colorizer.run.driver import ignore_outcome
from archive_colorizer.run.plan import plan
from archive_colorizer.storage.reading import get_storage, read_source

_MEASURES = Measures(grey=0.04123, one_color=0.51234, blotches=0.00412, clipped=0.01234)


def deliver_copies(jobs: tuple[Job, ...], workplace: JobContext) -> list[Outcome]:
    """Each file's bytes as its result, delivered as those of photographs are."""
    made = [run_guarded(job, workplace, _copy) for job in jobs]
    parcels = [one for one in made if isinstance(one, PendingResult)]
    answers = deliver_all(parcels, workplace)
    delivered = [one for one in answers if isinstance(one, Outcome)]
    return [one for one in made if isinstance(one, Outcome)] + delivered


def _copy(job: Job, workplace: JobContext, known: Outcome) -> PendingResult:
    data, stamp = read_source(job.source.path)
    get_storage(job.source.path).check_unchanged(stamp)
    settled = replace(
        known,
        state=State.DONE,
        source_stamp=stamp,
        source_sha256=hashlib.sha256(data).hexdigest(),
        provider="CPUExecutionProvider",
        measures=_MEASURES,
        width=64,
        height=48,
        seconds=0.0005,
    )
    return PendingResult(data, job, settled)


def main(scans: Path, output: Path, workers: int) -> int:
    """0 when every file has its result."""
    recipe = Recipe(workers=workers)
    request = RunRequest(roots=(scans,), output=output, recipe=recipe)
    with open_session(request, ignore_message) as session:
        work = WorkFolder.open(output, session.name)
        context = replace(session.context, work=str(work.path))
        summary = session.run(
            plan(walk(scans), session.manifest, context),
            partial(deliver_copies, workplace=context),
            work,
            session.create_executor((scans,)),
            ignore_outcome,
        )
    print(summary.done, sum(summary.unchanged.values()), summary.adopted)
    return int(summary.exit_code)


if __name__ == "__main__":
    # Workers import the module of their task, but never the main module.
    from benchmarks import scale_bare  # noqa: PLW0406 (it runs as the main module)

    sys.exit(scale_bare.main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
