"""Plan the jobs of a film: its cut list, its parts, and joining them."""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from archive_colorizer.errors import FailureReason
from archive_colorizer.film.segments import remove_segment
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.records.jobs import Job, JobContext, ShotPart, Source
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.run.plan import (
    Step,
    Unchanged,
    compute_job_key,
    decide_step,
    skip_if_recorded,
)

SHOTS: Final = "shots"
SEGMENTS: Final = "segments"
SUPERSEDED: Final = "superseded"


@dataclass(frozen=True, slots=True)
class Assembly:
    """Describe a film, its parts and its results.

    target: of the finished film.  ending: of the names of finished parts.  models: sha256 of
    the models of single shots, by the name in their settings.
    """

    source: Source
    parts: tuple[ShotPart, ...]
    target: str
    ending: str
    models: Mapping[str, str]

    @property
    def folder(self) -> str:
        """Folder of the finished parts, relative to the output."""
        return f"{SEGMENTS}/{self.source.name}"


def name_cut_list(film: str) -> str:
    """Return the path of a film's cut list, relative to the output."""
    return f"{film}.{SHOTS}.csv"


@dataclass(frozen=True, slots=True)
class FilmPlan:
    """Plan the jobs that restore the parts of a film and join them."""

    assembly: Assembly
    manifest: Manifest
    context: JobContext

    def build_part_job(self, part: ShotPart) -> Job:
        """Build the job of one part; its key holds the shot, since frames around a part count."""
        assembly, shot_context, shot = self.assembly, self.context, part.shot
        if shot.model:
            shot_context = replace(shot_context, model_sha256=assembly.models.get(shot.model, ""))
        shot_settings = {key: value for key, value in asdict(shot).items() if value is not None}
        words = f"{self.context.settings} {json.dumps(shot_settings, sort_keys=True)}"
        settings = hashlib.sha256(words.encode()).hexdigest()
        film = assembly.source.name
        done = self.manifest.find_newest_done(f"{film}#{part.name}")
        return Job(
            key=compute_job_key(film, part.name, shot_context.models_sha256, settings),
            source=assembly.source,
            target=f"{assembly.folder}/{part.name}{assembly.ending}",
            replaces=done is not None and done.target is not None,
            piece=part.name,
            part=part,
        )

    def build_film_job(self, missing: Sequence[ShotPart]) -> Job:
        """Build the job that joins a film, without the parts that are `missing`."""
        source, target, context = self.assembly.source, self.assembly.target, self.context
        keys = " ".join(self.build_part_job(part).key for part in self.assembly.parts)
        absent = " ".join(part.name for part in missing)
        parts = hashlib.sha256(f"{keys} without {absent}".encode()).hexdigest()
        done = self.manifest.find_newest_done(source.name)
        return Job(
            key=compute_job_key(
                source.name, f"film {parts}", context.models_sha256, context.settings
            ),
            source=source,
            target=target,
            replaces=done is not None and done.target == target,
            sidecar_sha256=done.sidecar_sha256 if done is not None else None,
        )

    def plan_parts(self, retry_failed: bool) -> Iterator[Step]:
        """Plan a step for each part; none is a job if the film is finished already."""
        whole = self.build_film_job(())
        finished = decide_step(whole, self._find_previous(whole), self.context, retry_failed=False)
        is_finished = isinstance(finished, Unchanged) and finished.outcome.state is State.DONE
        for part in self.assembly.parts:
            job = self.build_part_job(part)
            previous = self._find_previous(job)
            if is_finished and previous is not None:
                yield Unchanged(previous)
            else:
                yield decide_step(job, previous, self.context, retry_failed)

    def plan_film(self, retry_failed: bool) -> Step:
        """Plan joining a film after its parts; fails if some are missing."""
        missing = self.find_missing_parts()
        job = self.build_film_job(missing)
        if missing and not (self.context.film and self.context.film.allow_missing):
            names = ", ".join(part.name for part in missing[:5]) + (", ..." if missing[5:] else "")
            count = len(self.assembly.parts)
            outcome = Outcome.from_failure(
                job,
                FailureReason.MISSING_SHOTS,
                f"{job.name}: {len(missing)} of {count} parts are missing ({names}); "
                "fix them, or give --allow-missing to fill them with the grey original",
            )
            return skip_if_recorded(outcome, self.manifest.find_newest(job.name))
        return decide_step(job, self._find_previous(job), self.context, retry_failed)

    def find_missing_parts(self) -> tuple[ShotPart, ...]:
        """Find the parts that are not done with these settings."""
        outcomes = ((part, self.find_outcome(part)) for part in self.assembly.parts)
        return tuple(
            part for part, outcome in outcomes if outcome is None or outcome.state is not State.DONE
        )

    def find_outcome(self, part: ShotPart) -> Outcome | None:
        """Find the newest outcome of a part, if that is one with these settings."""
        job = self.build_part_job(part)
        outcome = self.manifest.find_newest(job.name)
        return outcome if outcome is not None and outcome.key == job.key else None

    def remove_segments(self) -> Iterator[Outcome]:
        """Remove the parts of a finished film, also of earlier cut lists; yields their outcomes.

        Keeps files that are not in the manifest.
        """
        manifest, output = self.manifest, Path(self.context.output)
        prefix = f"{self.assembly.source.name}#"
        names = {f"{prefix}{part.name}" for part in self.assembly.parts}
        for name in manifest.list_names(prefix):
            outcome, done = manifest.find_newest(name), manifest.find_newest_done(name)
            if outcome is None or name.endswith(f"#{SHOTS}"):
                continue
            if done is not None and done.target and done.target.startswith(f"{SEGMENTS}/"):
                remove_segment(output / done.target)
                yield replace(done, target=None, target_stamp=None, target_sha256=None)
            if name not in names and outcome.state is State.FAILED:
                message = f"{name} is not in the film's cut list any more"
                yield replace(outcome, state=State.SKIPPED, reason=SUPERSEDED, message=message)
        for folder in (output / self.assembly.folder, output / SEGMENTS):
            with contextlib.suppress(OSError):
                folder.rmdir()

    def _find_previous(self, job: Job) -> Outcome | None:
        """Find the newest outcome of a job.

        It gets the source's present stamp if the content is the same, which was hashed for the cut
        list, so that it is not hashed again for every part.
        """
        previous = self.manifest.find_newest(job.name)
        digest = job.source.fixity.removeprefix("sha256:")
        if previous is not None and digest and previous.source_sha256 == digest:
            return replace(previous, source_stamp=job.source.stamp)
        return previous
