"""Deliver: bring finished results to their places, whole or not at all, over nobody's file.

The order of writing: temporary file in the run's own folder, fsync; where it is asked for, a look
at what the disk gives back; a note in the worker's journal, fsync; the final name, fsync of its
folder.  Whoever is killed in between leaves either nothing or a result that the next run finds
in the journal.  Several results take each step together, so that small ones share a journal's and
a folder's fsync.  Results that go to a store: media/put.py.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from archive_colorizer.errors import ArchiveColorizerError, ResultUnsound, TargetExists
from archive_colorizer.location import Address, place_of
from archive_colorizer.output.deliveries import Answer, Check, Errand, Errands, Parcel
from archive_colorizer.output.local import (
    Move,
    add_notes,
    new_file,
    noted,
    open_folder,
    open_journal,
    read_again,
    sha256_again,
    sha256_of,
    written_file,
)
from archive_colorizer.output.object_store import put_all
from archive_colorizer.output.staging import Content
from archive_colorizer.records.jobs import Job, Stamp, Workplace
from archive_colorizer.records.outcomes import Outcome
from archive_colorizer.records.paths import sidecar_of
from archive_colorizer.storage.file_view import OnDisk, Stored, digest_of


def deliver(
    content: Content,
    job: Job,
    workplace: Workplace,
    settled: Outcome,
    sidecar: bytes | None = None,
    check: Check | None = None,
) -> Outcome:
    """Bring `content` to its place and return `settled` with what was written; see Parcel.

    The result has the mode that the umask gives.  Raises TargetExists when a file that is
    not this job's stands there, or a link or a file where a folder belongs, TargetName when
    the file system does not take the name, OutputError, with the system's words, when the
    output cannot be written, ResultUnsound when the disk gives back something else, and what
    `check` raises.  No temporary file stays.
    """
    return _only(deliver_all([Parcel(content, job, settled, sidecar, check)], workplace))


def deliver_all(parcels: Sequence[Parcel], workplace: Workplace) -> list[Answer]:
    """As `deliver`, of several results; what it would raise stands in that result's place."""
    output = place_of(workplace.output)
    if isinstance(output, Address):
        return put_all(parcels, output)
    return _bring(parcels, workplace)


def deliver_file(
    temporary: str, job: Job, workplace: Workplace, settled: Outcome, sidecar: bytes | None = None
) -> Outcome:
    """As `deliver`, of a file that was written as `temporary` below the work folder.

    For results that are too large for the memory.  The temporary name goes in any case.
    """
    return deliver(Path(workplace.work, temporary), job, workplace, settled, sidecar)


def _only(answers: list[Answer]) -> Outcome:
    (answer,) = answers
    if isinstance(answer, ArchiveColorizerError):
        raise answer
    return answer


def _bring(parcels: Sequence[Parcel], workplace: Workplace) -> list[Answer]:
    with ExitStack() as stack:
        errands = Errands(parcels, workplace, stack)
        with errands.blaming(errands.all):
            work = stack.enter_context(open_folder(workplace.work))
            errands.each(partial(_write, work=work, stack=stack))
            errands.each_at_once(_to_disk)
            errands.each(_settle)
            errands.each(errands.open_place)
            _appear_all(errands, work)
            _folders_to_disk(errands)
            errands.each(_finish)
        return [errand.error or errand.outcome for errand in errands.all]


def _write(errand: Errand, work: int, stack: ExitStack) -> None:
    parcel = errand.parcel
    content = parcel.content
    if isinstance(content, Path):
        errand.made = stack.enter_context(written_file(work, content.name))
    else:
        errand.made = stack.enter_context(new_file(work, content))
    if parcel.sidecar is not None:
        errand.beside = stack.enter_context(new_file(work, parcel.sidecar))


def _to_disk(errand: Errand) -> None:
    os.fsync(errand.made.descriptor)
    if errand.beside is not None:
        os.fsync(errand.beside.descriptor)


def _settle(errand: Errand) -> None:
    parcel, made, beside = errand.parcel, errand.made, errand.beside
    if parcel.check is not None:
        parcel.check(_proven(errand))
    errand.outcome = replace(
        parcel.settled,
        target=parcel.job.target,
        target_sha256=made.sha256,
        sidecar_sha256=beside.sha256 if beside else None,
    )


def _proven(errand: Errand) -> Stored:
    """What the disk gives back; a file that was drafted there stays there."""
    made, name = errand.made, errand.parcel.job.name
    again: Stored
    if isinstance(errand.parcel.content, Path):
        digest = sha256_again(made)
        again = OnDisk(made.descriptor, os.fstat(made.descriptor).st_size, name)
    else:
        again = read_again(made)
        digest = digest_of(again)
    if digest != made.sha256:
        raise ResultUnsound(
            f"{name}: the disk gave back other bytes than were written; nothing was kept, "
            "check the disk"
        )
    return again


def _appear_all(errands: Errands, work: int) -> None:
    """Note all in the journal, and give them their names while it is locked."""
    alive = errands.alive()
    if not alive:
        return
    with errands.blaming(alive), open_journal(work) as journal:
        add_notes(journal, [errand.outcome for errand in alive])
        errands.each(partial(_take_places, work=work, workplace=errands.workplace))


def _take_places(errand: Errand, work: int, workplace: Workplace) -> None:
    job, beside, place = errand.parcel.job, errand.beside, errand.place
    metadata = Move(beside.name if beside else "", work, sidecar_of(errand.name), place)
    _settle_sidecar(metadata, job, workplace, beside.sha256 if beside else None)
    _appear(Move(errand.made.name, work, errand.name, place), job, workplace, errand.made.sha256)


def _folders_to_disk(errands: Errands) -> None:
    alive = errands.alive()
    for place in {errand.place for errand in alive}:
        with errands.blaming([errand for errand in alive if errand.place == place]):
            os.fsync(place)


def _finish(errand: Errand) -> None:
    outcome = errand.outcome
    if errand.beside is not None:
        digest = sha256_of(sidecar_of(errand.name), errand.place)
        outcome = replace(outcome, sidecar_sha256=digest)
    errand.outcome = _stamped(outcome, errand.name, errand.place, errand.made.descriptor)


def _appear(move: Move, job: Job, workplace: Workplace, digest: str) -> None:
    if job.replaces:
        move.replace()
        return
    try:
        move.link()
    except FileExistsError:
        # A worker that was given up for lost may have come this far all the same.
        made = {digest, *noted(workplace.work, job)}
        if sha256_of(move.name, move.place) not in made:
            raise


def _settle_sidecar(move: Move, job: Job, workplace: Workplace, digest: str | None) -> None:
    """Bring the sidecar to its place, or an outdated one away; over ours only.

    One that somebody has edited is theirs.
    """
    there = sha256_of(move.name, move.place)
    ours = there is not None and there in {job.sidecar_sha256, digest}
    if digest is None:
        if ours:
            os.unlink(move.name, dir_fd=move.place)
    elif ours or there in set(noted(workplace.work, job, "sidecar_sha256")):
        move.replace()
    else:
        try:
            move.link()
        except FileExistsError:
            path = Path(workplace.output, sidecar_of(job.target))
            raise TargetExists(
                f"{path} is not this program's or was edited, and was kept; "
                "move it away and run again"
            ) from None


def _stamped(outcome: Outcome, name: str, place: int, descriptor: int) -> Outcome:
    """The outcome with the stamp that later looks at the target will find.

    Linking and renaming change the ctime, so the stamp is taken when all names are settled.
    """
    ours = os.fstat(descriptor)
    there = os.stat(name, dir_fd=place, follow_symlinks=False)
    if os.path.samestat(ours, there):
        return replace(outcome, target_stamp=Stamp.of(ours))
    return replace(outcome, target_sha256=sha256_of(name, place), target_stamp=Stamp.of(there))
