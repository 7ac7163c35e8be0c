"""Deliver: bring a finished result to its place, whole or not at all, over nobody's file.

The order of writing: temporary file in the run's own folder, fsync; a note in the worker's
journal, fsync; the final name, fsync of its folder.  Whoever is killed in between leaves
either nothing or a result that the next run finds in the journal.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import platform
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path

from archive_colorizer.errors import OutputError, TargetExists, TargetName
from archive_colorizer.records import Job, Outcome, Stamp, Workplace, sidecar_of

_NO_HARD_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_IN_THE_WAY = frozenset({errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR, errno.ELOOP})
_BAD_NAME = frozenset({errno.EINVAL, errno.EILSEQ, errno.ENAMETOOLONG})
_CREATE = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def deliver(
    data: bytes, job: Job, workplace: Workplace, settled: Outcome, sidecar: bytes | None = None
) -> Outcome:
    """Write `data` as the job's result and return `settled` with what was written.

    `sidecar` appears beside it (see `sidecar_of`), just before it.  Without one, the sidecar
    that the manifest knows of an earlier result is taken away.

    The result has the mode that the umask gives.  Raises TargetExists when a file that is
    not this job's stands there, or a link or a file where a folder belongs, TargetName when
    the file system does not take the name, and OutputError, with the system's words, when
    the output cannot be written.  No temporary file stays.
    """
    digest = hashlib.sha256(data).hexdigest()
    beside = None if sidecar is None else hashlib.sha256(sidecar).hexdigest()
    outcome = replace(settled, target=job.target, target_sha256=digest, sidecar_sha256=beside)
    folder, _, name = job.target.rpartition("/")
    try:
        with (
            _open_folder(workplace.work) as work,
            _temporary(work, data) as (temporary, descriptor),
            nullcontext(("", 0)) if sidecar is None else _temporary(work, sidecar) as (second, _),
            _open_target_folder(workplace.output, folder) as place,
        ):
            with _journal(work) as journal:
                _note(journal, outcome)
                _settle_sidecar(
                    _Move(second, work, sidecar_of(name), place), job, workplace, beside
                )
                _appear(_Move(temporary, work, name, place), job, workplace, digest)
            os.fsync(place)
            if sidecar is not None:
                outcome = replace(outcome, sidecar_sha256=_sha256(sidecar_of(name), place))
            return _stamped(outcome, name, place, descriptor)
    except OSError as error:
        raise _error(error, job, workplace) from error


class _Move:
    """From a temporary name to the final one, each below an open folder."""

    __slots__ = ("name", "place", "temporary", "work")

    def __init__(self, temporary: str, work: int, name: str, place: int) -> None:
        self.temporary = temporary
        self.work = work
        self.name = name
        self.place = place

    def link(self) -> None:
        """Appear without overwriting; FileExistsError when something is there."""
        try:
            os.link(
                self.temporary,
                self.name,
                src_dir_fd=self.work,
                dst_dir_fd=self.place,
                follow_symlinks=False,
            )
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            self._rename_to_nothing()
        else:
            os.unlink(self.temporary, dir_fd=self.work)

    def _rename_to_nothing(self) -> None:
        """For file systems without hard links: as near to `link` as they come."""
        try:
            os.stat(self.name, dir_fd=self.place, follow_symlinks=False)
        except FileNotFoundError:
            self.replace()
        else:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), self.name)

    def replace(self) -> None:
        os.replace(self.temporary, self.name, src_dir_fd=self.work, dst_dir_fd=self.place)


def _appear(move: _Move, job: Job, workplace: Workplace, digest: str) -> None:
    if job.replaces:
        move.replace()
        return
    try:
        move.link()
    except FileExistsError:
        # A worker that was given up for lost may have come this far all the same.
        made = {digest, *_noted(workplace.work, job)}
        if _sha256(move.name, move.place) not in made:
            raise


def _settle_sidecar(move: _Move, job: Job, workplace: Workplace, digest: str | None) -> None:
    """Bring the sidecar to its place, or an outdated one away; over ours only.

    One that somebody has edited is theirs.
    """
    there = _sha256(move.name, move.place)
    ours = there is not None and there in {job.sidecar_sha256, digest}
    if digest is None:
        if ours:
            os.unlink(move.name, dir_fd=move.place)
    elif ours or there in set(_noted(workplace.work, job, "sidecar_sha256")):
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
    return replace(outcome, target_sha256=_sha256(name, place), target_stamp=Stamp.of(there))


@contextmanager
def _temporary(work: int, data: bytes) -> Iterator[tuple[str, int]]:
    """A short name, so that no name that the target may have is too long for it."""
    name = f"{secrets.token_hex(8)}.tmp"
    descriptor = os.open(name, _CREATE, 0o666, dir_fd=work)
    try:
        _write(descriptor, data)
        os.fsync(descriptor)
        yield name, descriptor
    finally:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=work)
        os.close(descriptor)


@contextmanager
def _open_folder(path: str) -> Iterator[int]:
    descriptor = os.open(path, _FOLDER)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _open_target_folder(output: str, folder: str) -> Iterator[int]:
    """Go down part by part: no link is followed out of the output, no path is too long."""
    descriptor = os.open(output, _FOLDER)
    try:
        for part in folder.split("/") if folder else ():
            below = _open_or_make(part, descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def _open_or_make(part: str, parent: int) -> int:
    try:
        return os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):
            os.mkdir(part, dir_fd=parent)
        os.fsync(parent)
        return os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)


@contextmanager
def _journal(work: int) -> Iterator[int]:
    """This process's journal, locked: the next run waits for whoever is in here.

    Raises FileNotFoundError when the next run has already taken the folder away.
    """
    host = re.sub(r"[^A-Za-z0-9.-]", "_", platform.node())[:64]
    name = f"{host}-{os.getpid()}.jsonl"
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, 0o666, dir_fd=work)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if not os.fstat(descriptor).st_nlink:
            raise FileNotFoundError(errno.ENOENT, "another run has taken over", name)
        yield descriptor
    finally:
        os.close(descriptor)


def _note(journal: int, outcome: Outcome) -> None:
    """One line as in the manifest (run.lines reads it); half a line is taken back."""
    before = os.fstat(journal).st_size
    try:
        _write(journal, json.dumps({"kind": "outcome", **asdict(outcome)}).encode() + b"\n")
        os.fsync(journal)
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(journal, before)
        raise


def _noted(work: str, job: Job, which: str = "target_sha256") -> Iterator[str]:
    """The sha256 of all results (or sidecars) that this run's journals promise for the job."""
    for path in Path(work).glob("*.jsonl"):
        for line in path.read_bytes().splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                note = json.loads(line)
                if (note["key"], note["target"]) == (job.key, job.target):
                    yield str(note[which])


def _sha256(name: str, place: int) -> str | None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with open(os.open(name, flags, dir_fd=place), "rb") as stream:  # noqa: PTH123 (own flags)
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


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
