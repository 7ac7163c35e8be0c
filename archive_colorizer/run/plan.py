"""From what was found to what is to be done: names, keys, and what is settled already."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from archive_colorizer.location import Address, place_of
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.manifest.target_names import choose_target, short_of
from archive_colorizer.output.recovery import unrecorded
from archive_colorizer.records.jobs import Companion, Job, Source, Unfit, Workplace
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.records.paths import sidecar_of
from archive_colorizer.storage.fixity import is_there, read_stamp, refreshed

RETRIED = frozenset(
    {
        "bug",
        "dependency",
        "device",
        "fixity",
        "memory",
        "missing-shots",
        "model",
        "network",
        "output",
        "source-changed",
        "target-exists",
        "target-name",
        "timeout",
        "too-large",
        "unsound",
        "unreadable",
        "unsent",
        "usage",
        "worker-lost",
    }
)
"""Reasons of failures that are not about the content: the next run tries again."""

ALREADY_COLOR = "already-color"


@dataclass(frozen=True, slots=True)
class Settled:
    """A source that an earlier run has settled; `refreshed` when only stamps are new."""

    outcome: Outcome
    refreshed: bool = False


Step: TypeAlias = Job | Outcome | Settled
"""What is to be done; what is known at once and new; what was known before."""


def job_key(name: str, shot: str, model_sha256: str, settings: str) -> str:
    """sha256 over all that decides about a result, except the content of the source."""
    parts = (name, shot, model_sha256, settings)
    return hashlib.sha256(b"\0".join(os.fsencode(part) for part in parts)).hexdigest()


def plan(
    entries: Iterable[Source | Unfit],
    manifest: Manifest,
    workplace: Workplace,
    retry_failed: bool = False,
    redo: frozenset[str] | None = None,
) -> Iterator[Step]:
    """One step for each entry, in their order, lazily.

    `redo` are the only names that are wanted, and those are made again even when settled.

    The entries must come in the same order on every run: of two sources that want one
    target, the first keeps its name.
    """
    settings = workplace.settings
    chosen: set[int] = set()
    output = place_of(workplace.output)
    store = output if isinstance(output, Address) else None

    def taken(target: str) -> bool:
        return short_of(target) in chosen or manifest.has_target(target)

    for entry in entries:
        if redo is not None and entry.name not in redo:
            continue
        place = workplace.of(entry) if isinstance(entry, Source) else workplace
        own = settings if place is workplace else place.settings
        key = job_key(entry.name, "", workplace.models_sha256, own)
        if isinstance(entry, Unfit):
            yield _unfit(entry, key, manifest.newest(entry.name))
            continue
        done = manifest.newest_done(entry.name)
        target = done.target if done and done.target else choose_target(entry.name, taken)
        if done is None:
            chosen.add(short_of(target))
        found = unrecorded(store, target, done) if store is not None else None
        if found is not None and found.name == entry.name:
            done = found
        else:
            found = None
        beside = done.sidecar_sha256 if done else None
        job = Job(key, entry, target, replaces=done is not None, sidecar_sha256=beside)
        if redo is not None:
            yield _fresh(job, workplace)
            continue
        step = step_of(job, found or manifest.newest(job.name), place, retry_failed)
        yield replace(step, refreshed=True) if found and isinstance(step, Settled) else step


def step_of(job: Job, known: Outcome | None, workplace: Workplace, retry_failed: bool) -> Step:
    """The job, or what the manifest's newest outcome of it, `known`, makes of it."""
    found = settled(job, known, workplace)
    if found and not _retried(found.outcome, retry_failed):
        return found
    return _fresh(job, workplace)


def _fresh(job: Job, workplace: Workplace) -> Step:
    """The job, unless somebody else's file has its place."""
    place = place_of(workplace.output) / job.target
    if job.replaces or not is_there(place):
        return job
    return failed(
        job,
        "target-exists",
        f"{place} is not known to the manifest and was kept; move it away and run again",
    )


def failed(job: Job, reason: str, message: str) -> Outcome:
    """The outcome of a job that did not come to a worker, or not back from it."""
    return Outcome(
        key=job.key,
        name=job.name,
        state=State.FAILED,
        source_stamp=job.source.stamp,
        beside=job.source.beside,
        reason=reason,
        message=message,
    )


def _unfit(entry: Unfit, key: str, known: Outcome | None) -> Step:
    outcome = Outcome(
        key=key,
        name=entry.name,
        state=State.FAILED if entry.failed else State.SKIPPED,
        reason=entry.reason,
        message=entry.message,
    )
    if known is not None and _word(known) == _word(outcome):
        return Settled(known)
    return outcome


def _word(outcome: Outcome) -> tuple[State, str | None, str | None]:
    return outcome.state, outcome.reason, outcome.message


def settled(job: Job, known: Outcome | None, workplace: Workplace) -> Settled | None:
    """What an earlier run made of the job, if source, settings and result are still the same."""
    if known is None or known.key != job.key:
        return None
    if known.reason == ALREADY_COLOR and workplace.recipe.force:
        return None
    source, target = job.source, known.target_stamp
    stamp = refreshed(source.place, source.stamp, known.source_stamp, known.source_sha256)
    beside = _beside_still(source, known.beside)
    if stamp is None or beside is None:
        return None
    if known.state is State.DONE:
        output = place_of(workplace.output)
        place = output / job.target
        target = refreshed(place, read_stamp(place), known.target_stamp, known.target_sha256)
        sidecar = output / sidecar_of(job.target)
        if target is None or (known.sidecar_sha256 and read_stamp(sidecar) is None):
            return None
    if (stamp, target, beside) == (known.source_stamp, known.target_stamp, known.beside):
        return Settled(known)
    now = replace(known, source_stamp=stamp, target_stamp=target, beside=beside)
    return Settled(now, refreshed=True)


def _beside_still(source: Source, known: tuple[Companion, ...]) -> tuple[Companion, ...] | None:
    """What lies beside the source, with present stamps, if it is what was `known`; else None."""
    if [(one.role, one.name) for one in source.beside] != [(one.role, one.name) for one in known]:
        return None
    found = []
    for now, before in zip(source.beside, known, strict=True):
        path = source.place.parent / now.name
        stamp = refreshed(path, now.stamp, before.stamp, before.sha256)
        if stamp is None:
            return None
        found.append(replace(before, stamp=stamp))
    return tuple(found)


def _retried(outcome: Outcome, retry_failed: bool) -> bool:
    return outcome.state is State.FAILED and (retry_failed or outcome.reason in RETRIED)
