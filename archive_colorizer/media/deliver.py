"""Deliver: bring a finished result to its place, whole or not at all, over nobody's file.

The order of writing: temporary file in the run's own folder, fsync; where it is asked for, a look
at what the disk gives back; a note in the worker's journal, fsync; the final name, fsync of its
folder.  Whoever is killed in between leaves either nothing or a result that the next run finds
in the journal.
"""

import errno
import hashlib
import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from archive_colorizer.errors import OutputError, ResultUnsound, TargetExists, TargetName
from archive_colorizer.media.places import (
    Made,
    Move,
    add_note,
    new_file,
    noted,
    open_folder,
    open_journal,
    open_target_folder,
    read_again,
    sha256_of,
    written_file,
)
from archive_colorizer.records import Job, Outcome, Stamp, Workplace, sidecar_of

Check: TypeAlias = Callable[[bytes], None]
"""Raises what is wrong with a finished file."""

_IN_THE_WAY = frozenset({errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR, errno.ELOOP})
_BAD_NAME = frozenset({errno.EINVAL, errno.EILSEQ, errno.ENAMETOOLONG})


def deliver(
    data: bytes,
    job: Job,
    workplace: Workplace,
    settled: Outcome,
    sidecar: bytes | None = None,
    check: Check | None = None,
) -> Outcome:
    """Write `data` as the job's result and return `settled` with what was written.

    `sidecar` appears beside it (see `sidecar_of`), just before it.  Without one, the sidecar
    that the manifest knows of an earlier result is taken away.  `check` is given what the
    disk gives back, before anything has the result's name.

    The result has the mode that the umask gives.  Raises TargetExists when a file that is
    not this job's stands there, or a link or a file where a folder belongs, TargetName when
    the file system does not take the name, OutputError, with the system's words, when the
    output cannot be written, ResultUnsound when the disk gives back something else, and what
    `check` raises.  No temporary file stays.
    """
    try:
        with open_folder(workplace.work) as work, new_file(work, data) as made:
            if check is not None:
                check(_proven(made, job))
            return _bring(made, work, job, workplace, settled, sidecar)
    except OSError as error:
        raise _error(error, job, workplace) from error


def deliver_file(
    temporary: str, job: Job, workplace: Workplace, settled: Outcome, sidecar: bytes | None = None
) -> Outcome:
    """As `deliver`, of a file that was written as `temporary` below the work folder.

    For results that are too large for the memory.  The temporary name goes in any case.
    """
    try:
        with open_folder(workplace.work) as work, written_file(work, temporary) as made:
            return _bring(made, work, job, workplace, settled, sidecar)
    except OSError as error:
        raise _error(error, job, workplace) from error


def _proven(made: Made, job: Job) -> bytes:
    again = read_again(made)
    if hashlib.sha256(again).hexdigest() != made.sha256:
        raise ResultUnsound(
            f"{job.name}: the disk gave back other bytes than were written; nothing was kept, "
            "check the disk"
        )
    return again


def _bring(
    made: Made,
    work: int,
    job: Job,
    workplace: Workplace,
    settled: Outcome,
    sidecar: bytes | None,
) -> Outcome:
    beside = None if sidecar is None else hashlib.sha256(sidecar).hexdigest()
    outcome = replace(settled, target=job.target, target_sha256=made.sha256, sidecar_sha256=beside)
    folder, _, name = job.target.rpartition("/")
    with (
        nullcontext() if sidecar is None else new_file(work, sidecar) as second,
        open_target_folder(workplace.output, folder) as place,
    ):
        with open_journal(work) as journal:
            add_note(journal, outcome)
            metadata = Move(second.name if second else "", work, sidecar_of(name), place)
            _settle_sidecar(metadata, job, workplace, beside)
            _appear(Move(made.name, work, name, place), job, workplace, made.sha256)
        os.fsync(place)
        if sidecar is not None:
            outcome = replace(outcome, sidecar_sha256=sha256_of(sidecar_of(name), place))
        return _stamped(outcome, name, place, made.descriptor)


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


def _error(error: OSError, job: Job, workplace: Workplace) -> OutputError:
    place = Path(workplace.output, job.target)
    if error.errno in _IN_THE_WAY:
        return TargetExists(
            f"{place} or a folder of it is not this program's and was kept; "
            "move it away and run again"
        )
    why = error.strerror or str(error)
    if error.errno in _BAD_NAME:
        return TargetName(
            f"{place} is no name that this file system takes ({why}); rename the scan"
        )
    return OutputError(f"cannot write {place}: {why}; mend that and run again")
