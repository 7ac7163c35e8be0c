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
from archive_colorizer.output.deliveries import Parcel
from archive_colorizer.output.journal import WorkFolder
from archive_colorizer.pipeline.run_session import models_of, open_run, tell_nobody
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Job, Workplace
from archive_colorizer.records.outcomes import Measures, Outcome, State
from archive_colorizer.restore.outcome_boundary import settle
from archive_colorizer.run.driver import RunContext, drive
from archive_colorizer.run.plan import plan
from archive_colorizer.storage.reading import check_unchanged, read_source

_MEASURES = Measures(grey=0.04123, one_color=0.51234, blotches=0.00412, clipped=0.01234)


def deliver_copies(jobs: tuple[Job, ...], workplace: Workplace) -> list[Outcome]:
    """Each file's bytes as its result, delivered as those of photographs are."""
    made = [settle(job, workplace, _copy) for job in jobs]
    parcels = [one for one in made if isinstance(one, Parcel)]
    answers = deliver_all(parcels, workplace)
    delivered = [one for one in answers if isinstance(one, Outcome)]
    return [one for one in made if isinstance(one, Outcome)] + delivered


def _copy(job: Job, workplace: Workplace, known: Outcome) -> Parcel:
    data, stamp = read_source(job.source.path)
    check_unchanged(job.source.path, stamp)
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
    return Parcel(data, job, settled)


def main(scans: Path, output: Path, workers: int) -> int:
    """0 when every file has its result."""
    recipe = Recipe(workers=workers)
    with open_run(output, recipe, tell_nobody) as opening:
        work = WorkFolder.open(output, opening.name)
        place = Workplace(str(output), str(work.path), recipe, **models_of(recipe))
        summary = drive(
            plan(walk(scans), opening.manifest, place),
            RunContext(
                executor=opening.executor(place, (scans,)),
                task=partial(deliver_copies, workplace=place),
                manifest=opening.manifest,
                work=work,
                stop=opening.stop,
                opening=opening.provenance((scans,), (), place),
                adopted=opening.adopted,
            ),
        )
    print(summary.done, sum(summary.unchanged.values()), summary.adopted)
    return int(summary.exit_code)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
