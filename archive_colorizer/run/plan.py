"""Plan the jobs of a run: choose target names, compute keys, and find unchanged results."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from archive_colorizer.errors import FailureReason
from archive_colorizer.location import Location, ObjectLocation, to_location
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.output.recovery import find_unrecorded
from archive_colorizer.records.jobs import Companion, Job, JobContext, RejectedEntry, Source, Stamp
from archive_colorizer.records.outcomes import ALREADY_COLOR, Outcome, State
from archive_colorizer.records.paths import choose_target, get_sidecar_path, hash_target
from archive_colorizer.storage.reading import get_storage


@dataclass(frozen=True, slots=True)
class Unchanged:
    """An outcome of an earlier run that still holds, possibly with new stamps to record."""

    outcome: Outcome
    has_new_stamps: bool = False


Step: TypeAlias = Job | Outcome | Unchanged
"""A job to run, a new outcome that needs no job, or an earlier outcome that still holds."""


def compute_job_key(name: str, shot: str, model_sha256: str, settings: str) -> str:
    """Return the sha256 of all that determines a result, except the source's content."""
    parts = (name, shot, model_sha256, settings)
    return hashlib.sha256(b"\0".join(os.fsencode(part) for part in parts)).hexdigest()


def plan(
    entries: Iterable[Source | RejectedEntry],
    manifest: Manifest,
    run_context: JobContext,
    retry_failed: bool = False,
    redo: frozenset[str] | None = None,
) -> Iterator[Step]:
    """Yield one step for each entry, in their order, lazily.

    Entries must come in the same order on every run, since the first of two sources with the
    same target gets that name.  redo: if given, only these names are planned, and they are
    restored again even if unchanged.
    """
    settings = run_context.settings
    chosen_targets: set[int] = set()
    output = to_location(run_context.output)
    object_output = output if isinstance(output, ObjectLocation) else None

    def is_taken(target: str) -> bool:
        return hash_target(target) in chosen_targets or manifest.has_target(target)

    for entry in entries:
        if redo is not None and entry.name not in redo:
            continue
        context = run_context.for_source(entry) if isinstance(entry, Source) else run_context
        settings_digest = settings if context is run_context else context.settings
        key = compute_job_key(entry.name, "", run_context.models_sha256, settings_digest)
        if isinstance(entry, RejectedEntry):
            yield _reject(entry, key, manifest.find_newest(entry.name))
            continue
        newest_done = manifest.find_newest_done(entry.name)
        target = newest_done.target if newest_done else None
        target = target or choose_target(entry.name, is_taken)
        if newest_done is None:
            chosen_targets.add(hash_target(target))
        unrecorded = object_output and find_unrecorded(object_output, target, newest_done)
        if unrecorded and unrecorded.name == entry.name:
            newest_done = unrecorded
        else:
            unrecorded = None
        sidecar_sha256 = newest_done.sidecar_sha256 if newest_done else None
        job = Job(key, entry, target, newest_done is not None, sidecar_sha256)
        if redo is not None:
            yield _check_target_is_free(job, run_context)
            continue
        previous = unrecorded or manifest.find_newest(job.name)
        step = decide_step(job, previous, context, retry_failed)
        if unrecorded and isinstance(step, Unchanged):
            step = replace(step, has_new_stamps=True)
        yield step


def decide_step(
    job: Job, previous: Outcome | None, context: JobContext, retry_failed: bool
) -> Step:
    """Return the job, or its newest outcome in the manifest if that still holds."""
    unchanged = _find_unchanged(job, previous, context)
    if unchanged is not None and unchanged.outcome.state is State.FAILED:
        reason = FailureReason.parse(unchanged.outcome.reason)
        if retry_failed or (reason is not None and reason.is_retryable):
            unchanged = None
    return unchanged or _check_target_is_free(job, context)


def skip_if_recorded(outcome: Outcome, previous: Outcome | None) -> Step:
    """Return `outcome`, unless the manifest's newest outcome of this name is the same."""
    fields = ("state", "reason", "message")
    if previous and all(getattr(previous, name) == getattr(outcome, name) for name in fields):
        return Unchanged(previous)
    return outcome


def _check_target_is_free(job: Job, context: JobContext) -> Step:
    target = to_location(context.output) / job.target
    if job.replaces or not get_storage(target).is_present():
        return job
    return Outcome.from_failure(
        job,
        FailureReason.TARGET_EXISTS,
        f"{target} is not known to the manifest and was kept; move it away and run again",
    )


def _reject(entry: RejectedEntry, key: str, previous: Outcome | None) -> Step:
    outcome = Outcome(
        key=key,
        name=entry.name,
        state=State.FAILED if entry.failed else State.SKIPPED,
        reason=entry.reason,
        message=entry.message,
        errno=entry.errno,
    )
    return skip_if_recorded(outcome, previous)


def _find_unchanged(job: Job, previous: Outcome | None, context: JobContext) -> Unchanged | None:
    """Return the previous outcome if source, companions, settings and result are unchanged."""
    if previous is None or previous.key != job.key:
        return None
    if previous.reason == ALREADY_COLOR and context.recipe.force:
        return None
    source, target_stamp = job.source, previous.target_stamp
    source_stamp = _refresh_stamp(
        source.location, source.stamp, previous.source_stamp, previous.source_sha256
    )
    companions = _refresh_companions(source, previous.beside)
    if source_stamp is None or companions is None:
        return None
    if previous.state is State.DONE:
        target_stamp = _refresh_target(job, previous, to_location(context.output))
        if target_stamp is None:
            return None
    updated = replace(
        previous, source_stamp=source_stamp, target_stamp=target_stamp, beside=companions
    )
    return Unchanged(updated, has_new_stamps=updated != previous)


def _refresh_target(job: Job, previous: Outcome, output: Location) -> Stamp | None:
    target, sidecar = output / job.target, output / get_sidecar_path(job.target)
    stamp = get_storage(target).find_stamp()
    stamp = _refresh_stamp(target, stamp, previous.target_stamp, previous.target_sha256)
    if previous.sidecar_sha256 and stamp and get_storage(sidecar).find_stamp() is None:
        return None
    return stamp


def _refresh_companions(
    source: Source, previous: tuple[Companion, ...]
) -> tuple[Companion, ...] | None:
    """Return the previous companions with current stamps; None if any of them changed."""
    names = [(companion.role, companion.name) for companion in source.beside]
    if names != [(companion.role, companion.name) for companion in previous]:
        return None
    refreshed = []
    for current, earlier in zip(source.beside, previous, strict=True):
        path = source.location.parent / current.name
        stamp = _refresh_stamp(path, current.stamp, earlier.stamp, earlier.sha256)
        if stamp is None:
            return None
        refreshed.append(replace(earlier, stamp=stamp))
    return tuple(refreshed)


def _refresh_stamp(
    location: Location, current: Stamp | None, recorded: Stamp | None, sha256: str | None
) -> Stamp | None:
    """The current stamp when the content is what was recorded, else None; hashes in doubt."""
    if current is None or current == recorded:
        return current
    fixity = get_storage(location).read_fixity() if sha256 is not None else None
    return fixity[0] if fixity is not None and fixity[1] == sha256 else None
