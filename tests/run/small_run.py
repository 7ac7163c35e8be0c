"""A whole run without pictures, to be killed.

`python -m tests.run.small_run IN OUT EXECUTOR SECONDS [TIMEOUT]`
"""

import os
import sys
from pathlib import Path

from archive_colorizer.errors import ArchiveColorizerError
from archive_colorizer.executors.allocation import WorkerAllocation
from archive_colorizer.executors.executor import open_executor
from archive_colorizer.executors.limits import Limits
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.output.journal import WorkFolder, sweep
from archive_colorizer.output.lock import lock_output
from archive_colorizer.run.driver import RunContext, run_jobs
from archive_colorizer.run.plan import plan
from archive_colorizer.run.signals import stop_on_signals
from tests.executors.tasks import Copy, sources, workplace


def main(root: Path, output: Path, executor: str, seconds: float, timeout: float = 0.0) -> int:
    with stop_on_signals() as stop, lock_output(output), Manifest.open(output) as manifest:
        adopted = sweep(output, manifest)
        work = WorkFolder.open(output, f"run-{os.getpid()}")
        place = workplace(output, work.path)
        run = RunContext(
            executor=open_executor(executor, WorkerAllocation(2, 1), Limits(timeout)),
            task=Copy(place, seconds),
            manifest=manifest,
            work=work,
            stop=stop,
            adopted=adopted,
        )
        summary = run_jobs(plan(sources(root), manifest, place), run)
        sys.stdout.write(f"{summary.done} done, {summary.failed} failed\n")
        return 128 + summary.interrupted if summary.interrupted else 0


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], *map(float, sys.argv[4:])))
    except ArchiveColorizerError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
