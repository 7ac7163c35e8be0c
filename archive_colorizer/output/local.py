"""Places: names below open folders, files under two names, and the worker's journal.

What media/deliver.py is made of.  Everything here raises OSError as the system does.
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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from archive_colorizer.records.jobs import Job
from archive_colorizer.records.json_lines import to_line
from archive_colorizer.records.outcomes import Outcome

_NO_HARD_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_CREATE = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Made:
    """A finished file below the work folder: open, and on the disk after an fsync."""

    name: str
    descriptor: int
    sha256: str


class Move:
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


@contextmanager
def new_file(work: int, data: bytes) -> Iterator[Made]:
    """`data` under a short name, so that no name that a target may have is too long for it."""
    name = f"{secrets.token_hex(8)}.tmp"
    descriptor = os.open(name, _CREATE, 0o666, dir_fd=work)
    try:
        _write(descriptor, data)
        yield Made(name, descriptor, hashlib.sha256(data).hexdigest())
    finally:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=work)
        os.close(descriptor)


def read_again(made: Made) -> bytes:
    """A finished file's content, from the disk itself where the system can be asked for that."""
    with _opened_again(made) as stream:
        return stream.read()


def sha256_again(made: Made) -> str:
    """Likewise its sha256, of a file that is not to be held in memory."""
    with _opened_again(made) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _opened_again(made: Made) -> BufferedReader:
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(made.descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.lseek(made.descriptor, 0, os.SEEK_SET)
    return open(made.descriptor, "rb", closefd=False)


@contextmanager
def written_file(work: int, name: str) -> Iterator[Made]:
    """A file that somebody else has written below the work folder and closed."""
    descriptor = os.open(name, _READ, dir_fd=work)
    try:
        with open(descriptor, "rb", closefd=False) as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        yield Made(name, descriptor, digest)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=work)
        os.close(descriptor)


@contextmanager
def open_folder(path: str) -> Iterator[int]:
    """A descriptor of the folder."""
    descriptor = os.open(path, _FOLDER)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def open_target_folder(output: str, folder: str) -> Iterator[int]:
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
def open_journal(work: int) -> Iterator[int]:
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


def add_notes(journal: int, outcomes: Sequence[Outcome]) -> None:
    """Lines as in the manifest (run.lines reads them); what is not whole is taken back."""
    before = os.fstat(journal).st_size
    try:
        _write(journal, b"".join(to_line(outcome) for outcome in outcomes))
        os.fsync(journal)
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(journal, before)
        raise


def noted(work: str, job: Job, which: str = "target_sha256") -> Iterator[str]:
    """The sha256 of all results (or sidecars) that this run's journals promise for the job."""
    for path in Path(work).glob("*.jsonl"):
        for line in path.read_bytes().splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                note = json.loads(line)
                if (note["key"], note["target"]) == (job.key, job.target):
                    yield str(note[which])


def sha256_of(name: str, place: int) -> str | None:
    """Of the file called `name` below the open folder `place`; None where none can be read."""
    try:
        with open(os.open(name, _READ, dir_fd=place), "rb") as stream:  # noqa: PTH123 (own flags)
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
