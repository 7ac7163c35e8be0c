"""Plan the jobs of a film: its cut list, its parts, and joining them."""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from archive_colorizer.errors import FailureReason
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.records.jobs import Job, JobContext, ShotPart, Source
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.run.plan import (
    Step,
    Unchanged,
    compute_job_key,
    decide_step,
    fail_job,
    skip_if_recorded,
)
from archive_colorizer.storage.fixity import CHECKSUM_LIST, read_fixity

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


def find_user_list(output: Path, source: Source, previous: Outcome | None) -> Path | None:
    """Find the cut list in the output, if the user made or edited it."""
    path = output / name_cut_list(source.name)
    fixity = read_fixity(path)
    if fixity is None:
        return None
    detected = (
        previous is not None
        and fixity[1] == previous.target_sha256
        and previous.key != _list_key(source, "", f"given {fixity[1]}")
    )
    return None if detected else path


def plan_list(
    source: Source,
    span: str,
    user_list_sha256: str | None,
    manifest: Manifest,
    context: JobContext,
    retry_failed: bool,
) -> Step:
    """Plan the cut list of a film over `span` of its time, or the user's list with that sha256."""
    shortest = context.film.shortest if context.film else 0
    key = (
        _list_key(source, span, f"shortest {shortest}")
        if user_list_sha256 is None
        else _list_key(source, "", f"given {user_list_sha256}")
    )
    previous = manifest.find_newest(f"{source.name}#{SHOTS}")
    # Only the user can have put an unknown list there, and that one is kept as it is.
    replaces = (
        user_list_sha256 is not None
        or manifest.find_newest_done(f"{source.name}#{SHOTS}") is not None
    )
    job = Job(key, source, name_cut_list(source.name), replaces=replaces, piece=SHOTS)
    return decide_step(job, previous, context, retry_failed)


def _list_key(source: Source, span: str, how: str) -> str:
    return compute_job_key(source.name, f"{SHOTS} {span}", "", how)


def build_part_job(
    part: ShotPart, assembly: Assembly, manifest: Manifest, context: JobContext
) -> Job:
    """Build the job of one part; its key holds the shot, since frames around a part count."""
    source, shot = assembly.source, part.shot
    shot_context = context
    if shot.model:
        shot_context = replace(context, model_sha256=assembly.models.get(shot.model, ""))
    shot_settings = {key: value for key, value in asdict(shot).items() if value is not None}
    words = f"{context.settings} {json.dumps(shot_settings, sort_keys=True)}"
    settings = hashlib.sha256(words.encode()).hexdigest()
    done = manifest.find_newest_done(f"{source.name}#{part.name}")
    return Job(
        key=compute_job_key(source.name, part.name, shot_context.models_sha256, settings),
        source=source,
        target=f"{assembly.folder}/{part.name}{assembly.ending}",
        replaces=done is not None and done.target is not None,
        piece=part.name,
        part=part,
    )


def build_film_job(
    assembly: Assembly, missing: Sequence[ShotPart], manifest: Manifest, context: JobContext
) -> Job:
    """Build the job that joins a film, without the parts that are `missing`."""
    source = assembly.source
    jobs = [build_part_job(part, assembly, manifest, context) for part in assembly.parts]
    keys = " ".join(job.key for job in jobs)
    absent = " ".join(part.name for part in missing)
    parts = hashlib.sha256(f"{keys} without {absent}".encode()).hexdigest()
    done = manifest.find_newest_done(source.name)
    return Job(
        key=compute_job_key(source.name, f"film {parts}", context.models_sha256, context.settings),
        source=source,
        target=assembly.target,
        replaces=done is not None and done.target == assembly.target,
        sidecar_sha256=done.sidecar_sha256 if done is not None else None,
    )


def plan_parts(
    assembly: Assembly, manifest: Manifest, context: JobContext, retry_failed: bool
) -> Iterator[Step]:
    """Plan a step for each part; none is a job if the film is finished already."""
    whole = build_film_job(assembly, (), manifest, context)
    finished = decide_step(whole, _find_previous(whole, manifest), context, retry_failed=False)
    is_finished = isinstance(finished, Unchanged) and finished.outcome.state is State.DONE
    for part in assembly.parts:
        job = build_part_job(part, assembly, manifest, context)
        previous = _find_previous(job, manifest)
        if is_finished and previous is not None:
            yield Unchanged(previous)
        else:
            yield decide_step(job, previous, context, retry_failed)


def plan_film(
    assembly: Assembly, manifest: Manifest, context: JobContext, retry_failed: bool
) -> Step:
    """Plan joining a film after its parts; fails if some are missing."""
    missing = find_missing_parts(assembly, manifest, context)
    job = build_film_job(assembly, missing, manifest, context)
    if missing and not (context.film and context.film.allow_missing):
        names = ", ".join(part.name for part in missing[:5]) + (", ..." if missing[5:] else "")
        outcome = fail_job(
            job,
            FailureReason.MISSING_SHOTS,
            f"{job.name}: {len(missing)} of {len(assembly.parts)} parts are missing ({names}); "
            "fix them, or give --allow-missing to fill them with the grey original",
        )
        return skip_if_recorded(outcome, manifest.find_newest(job.name))
    return decide_step(job, _find_previous(job, manifest), context, retry_failed)


def find_missing_parts(
    assembly: Assembly, manifest: Manifest, context: JobContext
) -> tuple[ShotPart, ...]:
    """Find the parts that are not done with these settings."""

    def is_done(part: ShotPart) -> bool:
        job = build_part_job(part, assembly, manifest, context)
        outcome = manifest.find_newest(job.name)
        return outcome is not None and outcome.state is State.DONE and outcome.key == job.key

    return tuple(part for part in assembly.parts if not is_done(part))


def remove_segments(assembly: Assembly, manifest: Manifest, output: Path) -> Iterator[Outcome]:
    """Remove the parts of a finished film, also of earlier cut lists; yields their outcomes.

    Keeps files that are not in the manifest.
    """
    names = {f"{assembly.source.name}#{part.name}" for part in assembly.parts}
    for name in manifest.list_names(f"{assembly.source.name}#"):
        outcome, done = manifest.find_newest(name), manifest.find_newest_done(name)
        if outcome is None or name.endswith(f"#{SHOTS}"):
            continue
        if done is not None and done.target and done.target.startswith(f"{SEGMENTS}/"):
            remove_segment(output / done.target)
            yield replace(done, target=None, target_stamp=None, target_sha256=None)
        if name not in names and outcome.state is State.FAILED:
            message = f"{name} is not in the film's cut list any more"
            yield replace(outcome, state=State.SKIPPED, reason=SUPERSEDED, message=message)
    for folder in (output / assembly.folder, output / SEGMENTS):
        with contextlib.suppress(OSError):
            folder.rmdir()


def remove_segment(path: Path) -> None:
    """Remove a finished part: a file, or a list with the frames that it names."""
    import shutil

    if path.suffix == CHECKSUM_LIST:
        with contextlib.suppress(OSError):
            shutil.rmtree(path.with_suffix(""))
    with contextlib.suppress(OSError):
        path.unlink()


def _find_previous(job: Job, manifest: Manifest) -> Outcome | None:
    """Find the newest outcome of a job.

    It gets the source's present stamp if the content is the same, which was hashed for the cut
    list, so that it is not hashed again for every part.
    """
    previous = manifest.find_newest(job.name)
    digest = job.source.fixity.removeprefix("sha256:")
    if previous is not None and digest and previous.source_sha256 == digest:
        return replace(previous, source_stamp=job.source.stamp)
    return previous
