"""Staged files, names below open folders, and the worker's journal; all raise OSError."""

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
from archive_colorizer.records.paths import from_recorded_name
from archive_colorizer.storage.atomic import sync_folder, write_all
from archive_colorizer.storage.local import OPEN_READ

_NO_HARD_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_CREATE = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A finished and open file below the work folder."""

    name: str
    descriptor: int
    sha256: str

    def read(self) -> bytes:
        """Read the content again, from the disk itself where the system supports that."""
        with self._open_again() as stream:
            return stream.read()

    def hash(self) -> str:
        """Hash the content as `read` reads it, without holding it in memory."""
        with self._open_again() as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def _open_again(self) -> BufferedReader:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self.descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.lseek(self.descriptor, 0, os.SEEK_SET)
        return open(self.descriptor, "rb", closefd=False)

    @classmethod
    @contextmanager
    def open(cls, work: int, content: bytes | str) -> Iterator["StagedFile"]:
        """Open a file of the work folder, and remove it at exit.

        content: the name of a file that is there, or bytes for a new one.  Its name is short,
        because one derived from the target could be too long.
        """
        if isinstance(content, str):
            name, flags = content, OPEN_READ
        else:
            name, flags = f"{secrets.token_hex(8)}.tmp", _CREATE
        descriptor = os.open(name, flags, 0o666, dir_fd=work)
        try:
            if isinstance(content, str):
                with open(descriptor, "rb", closefd=False) as stream:
                    digest = hashlib.file_digest(stream, "sha256")
            else:
                write_all(descriptor, content)
                digest = hashlib.sha256(content)
            yield cls(name, descriptor, digest.hexdigest())
        finally:
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=work)
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Move:
    """The move from a temporary name in `work` to the final one in `folder`, both descriptors."""

    temporary: str
    work: int
    name: str
    folder: int

    def link(self) -> None:
        """Move without overwriting; raises FileExistsError when the name exists."""
        try:
            folders = {"src_dir_fd": self.work, "dst_dir_fd": self.folder}
            os.link(self.temporary, self.name, **folders, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            self._rename_without_link()
        else:
            os.unlink(self.temporary, dir_fd=self.work)

    def _rename_without_link(self) -> None:
        # File systems without hard links have nothing closer to `link`.
        try:
            os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            self.replace()
        else:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), self.name)

    def replace(self) -> None:
        os.replace(self.temporary, self.name, src_dir_fd=self.work, dst_dir_fd=self.folder)


@contextmanager
def open_folder(path: str, below: str = "") -> Iterator[int]:
    """Open a folder, or one `below` it, which is made where it is missing; close it at exit.

    The latter is opened part by part, so that no link leads out of `path` and no path is too long.
    """
    descriptor = os.open(path, _FOLDER)
    try:
        for part in below.split("/") if below else ():
            opened = _open_or_make(part, descriptor)
            os.close(descriptor)
            descriptor = opened
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
def note_in_journal(work: int, outcomes: Sequence[Outcome]) -> Iterator[None]:
    """Append lines as in the manifest to the journal of this process, and keep it locked.

    The next run waits for the lock.  Takes the lines back when appending fails.  Raises
    FileNotFoundError when the next run has already removed the folder.
    """
    host = re.sub(r"[^A-Za-z0-9.-]", "_", platform.node())[:64]
    name = f"{host}-{os.getpid()}.jsonl"
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, 0o666, dir_fd=work)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        status = os.fstat(descriptor)
        if not status.st_nlink:
            raise FileNotFoundError(errno.ENOENT, "another run has taken over", name)
        if not status.st_size:
            # It may be new, and a journal without a name is not found after a power cut.
            sync_folder(work)
        try:
            write_all(descriptor, b"".join(to_line(outcome) for outcome in outcomes))
            os.fsync(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, status.st_size)
            raise
        yield
    finally:
        os.close(descriptor)


def read_journaled_digests(work: str, job: Job, key: str = "target_sha256") -> Iterator[str]:
    """Yield the sha256 of all results (or sidecars) that this run's journals have for the job."""
    for path in Path(work).glob("*.jsonl"):
        for line in path.read_bytes().splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                note = json.loads(line)
                if (note["key"], from_recorded_name(note["target"])) == (job.key, job.target):
                    yield str(note[key])


def hash_file(name: str, folder: int) -> str | None:
    """Hash a file below an open folder; None when it cannot be read."""
    try:
        with open(os.open(name, OPEN_READ, dir_fd=folder), "rb") as stream:  # noqa: PTH123 (own flags)
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None
