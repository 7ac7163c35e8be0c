"""Tasks without pictures: they copy the source through deliver, or die of its content."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from archive_colorizer.errors import ArchiveColorizerError
from archive_colorizer.output.deliver import deliver
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Job, JobContext, Source, Stamp
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.storage.reading import get_storage


@dataclass(frozen=True, slots=True)
class Copy:
    """Deliver each source's bytes with a mark in front; content that is a word acts on it."""

    workplace: JobContext
    seconds: float = 0.0

    def __call__(self, batch: tuple[Job, ...]) -> list[Outcome]:
        return [self._one(job) for job in batch]

    def _one(self, job: Job) -> Outcome:
        time.sleep(self.seconds)
        data = job.source.path.read_bytes()
        if data == b"kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if data == b"sleep":
            time.sleep(60)
        if data == b"bad":
            return Outcome.from_failure(job, "damaged", f"{job.source.name} is damaged")
        outcome = Outcome(
            key=job.key,
            name=job.source.name,
            state=State.DONE,
            source_stamp=job.source.stamp,
            source_sha256=(get_storage(job.source.path).read_fixity() or (None, None))[1],
        )
        try:
            outcome = deliver(b"made of " + data, job, self.workplace, outcome)
        except ArchiveColorizerError as error:
            return Outcome.from_failure(job, error.reason, str(error))
        if data == b"kill after":
            os.kill(os.getpid(), signal.SIGKILL)
        return outcome


def workplace(output: Path, work: Path, recipe: Recipe | None = None) -> JobContext:
    return JobContext(str(output), str(work), recipe or Recipe(), "model.onnx", "0" * 64)


def sources(root: Path, prefix: str = "") -> list[Source]:
    """All files below root, in the order of their names."""
    found = sorted(path for path in root.rglob("*") if path.is_file())
    return [
        Source(str(root), path.relative_to(root).as_posix(), Stamp.from_stat(path.lstat()), prefix)
        for path in found
    ]


def scans(root: Path, count: int, content: str = "scan") -> Path:
    """A root with `count` small files in three folders."""
    for number in range(count):
        path = root / f"box{number % 3}" / f"photo_{number:03}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content} {number}")
    return root
