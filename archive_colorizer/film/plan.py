"""What is to be done for a film: its cut list, its parts, and putting it together."""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.records.jobs import Job, Part, Source, Workplace
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.run.plan import Settled, Step, failed, job_key, step_of
from archive_colorizer.storage.fixity import LIST, read_fixity

SHOTS: Final = "shots"
SEGMENTS: Final = "segments"
SUPERSEDED: Final = "superseded"


@dataclass(frozen=True, slots=True)
class Assembly:
    """A film with its parts and the places of what is made of it.

    target: of the finished film.  ending: of the name of a finished part.  models: sha256 of
    the models that shots ask for, by the name they ask with.
    """

    source: Source
    parts: tuple[Part, ...]
    target: str
    ending: str
    models: Mapping[str, str]

    @property
    def folder(self) -> str:
        """Where the finished parts wait, below the output."""
        return f"{SEGMENTS}/{self.source.name}"


def list_name(film: str) -> str:
    """The place of the cut list of the film called so, below the output."""
    return f"{film}.{SHOTS}.csv"


def person_list(output: Path, source: Source, known: Outcome | None) -> Path | None:
    """The cut list in the output, if it is a person's: not what detection has left there."""
    place = output / list_name(source.name)
    found = read_fixity(place)
    if found is None:
        return None
    detected = (
        known is not None
        and found[1] == known.target_sha256
        and known.key != _list_key(source, "", f"given {found[1]}")
    )
    return None if detected else place


def list_step(
    source: Source,
    span: str,
    given: str | None,
    manifest: Manifest,
    workplace: Workplace,
    retry_failed: bool,
) -> Step:
    """Make the cut list of a film, over `span` of its time, or take the one with sha256 `given`."""
    shortest = workplace.film.shortest if workplace.film else 0
    key = (
        _list_key(source, span, f"shortest {shortest}")
        if given is None
        else _list_key(source, "", f"given {given}")
    )
    known = manifest.newest(f"{source.name}#{SHOTS}")
    # Only a person's own list can stand there unknown, and that one is taken, not replaced.
    replaces = given is not None or manifest.newest_done(f"{source.name}#{SHOTS}") is not None
    job = Job(key, source, list_name(source.name), replaces=replaces, piece=SHOTS)
    return step_of(job, known, workplace, retry_failed)


def _list_key(source: Source, span: str, how: str) -> str:
    return job_key(source.name, f"{SHOTS} {span}", "", how)


def part_job(part: Part, assembly: Assembly, manifest: Manifest, workplace: Workplace) -> Job:
    """The job of one part.

    Its key holds the shot's bounds, too, since frames around a part are looked at.
    """
    source, shot = assembly.source, part.shot
    place = workplace
    if shot.model:
        place = replace(workplace, model_sha256=assembly.models.get(shot.model, ""))
    own = {key: value for key, value in asdict(shot).items() if value is not None}
    settings = hashlib.sha256(
        f"{workplace.settings} {json.dumps(own, sort_keys=True)}".encode()
    ).hexdigest()
    done = manifest.newest_done(f"{source.name}#{part.name}")
    return Job(
        key=job_key(source.name, part.name, place.models_sha256, settings),
        source=source,
        target=f"{assembly.folder}/{part.name}{assembly.ending}",
        replaces=done is not None and done.target is not None,
        piece=part.name,
        part=part,
    )


def film_job(
    assembly: Assembly, missing: Sequence[Part], manifest: Manifest, workplace: Workplace
) -> Job:
    """The job that puts a film together, without the parts that are `missing`."""
    source = assembly.source
    jobs = [part_job(part, assembly, manifest, workplace) for part in assembly.parts]
    keys = " ".join(job.key for job in jobs)
    absent = " ".join(part.name for part in missing)
    parts = hashlib.sha256(f"{keys} without {absent}".encode()).hexdigest()
    done = manifest.newest_done(source.name)
    return Job(
        key=job_key(source.name, f"film {parts}", workplace.models_sha256, workplace.settings),
        source=source,
        target=assembly.target,
        replaces=done is not None and done.target == assembly.target,
        sidecar_sha256=done.sidecar_sha256 if done is not None else None,
    )


def part_steps(
    assembly: Assembly, manifest: Manifest, workplace: Workplace, retry_failed: bool
) -> Iterator[Step]:
    """One step for each part; none is work when the film is finished already."""
    whole = film_job(assembly, (), manifest, workplace)
    finished = step_of(whole, _known(whole, manifest), workplace, retry_failed=False)
    is_finished = isinstance(finished, Settled) and finished.outcome.state is State.DONE
    for part in assembly.parts:
        job = part_job(part, assembly, manifest, workplace)
        known = _known(job, manifest)
        if is_finished and known is not None:
            yield Settled(known)
        else:
            yield step_of(job, known, workplace, retry_failed)


def film_step(
    assembly: Assembly, manifest: Manifest, workplace: Workplace, retry_failed: bool
) -> Step:
    """Put the film together, or say why not; its parts are settled."""
    missing = missing_parts(assembly, manifest, workplace)
    job = film_job(assembly, missing, manifest, workplace)
    if missing and not (workplace.film and workplace.film.allow_missing):
        known = manifest.newest(job.name)
        names = ", ".join(part.name for part in missing[:5]) + (", ..." if missing[5:] else "")
        outcome = failed(
            job,
            "missing-shots",
            f"{job.name}: {len(missing)} of {len(assembly.parts)} parts are missing ({names}); "
            "mend them, or give --allow-missing to fill them with the grey original",
        )
        is_known = known is not None and known.message == outcome.message
        return Settled(known) if known is not None and is_known else outcome
    return step_of(job, _known(job, manifest), workplace, retry_failed)


def missing_parts(assembly: Assembly, manifest: Manifest, workplace: Workplace) -> tuple[Part, ...]:
    """The parts that are not done, or not with these settings."""
    return tuple(
        part
        for part in assembly.parts
        if not _is_done(part_job(part, assembly, manifest, workplace), manifest)
    )


def _is_done(job: Job, manifest: Manifest) -> bool:
    known = manifest.newest(job.name)
    return known is not None and known.state is State.DONE and known.key == job.key


def retired(assembly: Assembly, manifest: Manifest, output: Path) -> Iterator[Outcome]:
    """Remove the finished parts of a finished film; what is to be recorded of them.

    Parts of earlier cut lists go, too.  Files that the manifest does not know stay.
    """
    wanted = {f"{assembly.source.name}#{part.name}" for part in assembly.parts}
    for name in manifest.names(f"{assembly.source.name}#"):
        known, done = manifest.newest(name), manifest.newest_done(name)
        if known is None or name.endswith(f"#{SHOTS}"):
            continue
        if done is not None and done.target and done.target.startswith(f"{SEGMENTS}/"):
            remove_segment(output / done.target)
            yield replace(done, target=None, target_stamp=None, target_sha256=None)
        if name not in wanted and known.state is State.FAILED:
            said = f"{name} is no part of the film's cut list any more"
            yield replace(known, state=State.SKIPPED, reason=SUPERSEDED, message=said)
    for folder in (output / assembly.folder, output / SEGMENTS):
        with contextlib.suppress(OSError):
            folder.rmdir()


def remove_segment(place: Path) -> None:
    """Remove a finished part: a file, or a list with the frames that it names."""
    import shutil

    if place.suffix == LIST:
        with contextlib.suppress(OSError):
            shutil.rmtree(place.with_suffix(""))
    with contextlib.suppress(OSError):
        place.unlink()


def _known(job: Job, manifest: Manifest) -> Outcome | None:
    """The newest outcome of the job, with the source's present stamp if its content is the same.

    The content was hashed once for the cut list; parts need not do that again.
    """
    known = manifest.newest(job.name)
    vouched = job.source.fixity.removeprefix("sha256:")
    if known is not None and vouched and known.source_sha256 == vouched:
        return replace(known, source_stamp=job.source.stamp)
    return known
