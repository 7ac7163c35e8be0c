"""Access files on a disk; links are never followed."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Final

from archive_colorizer.errors import SourceChanged, SourceError
from archive_colorizer.records.jobs import Stamp
from archive_colorizer.records.paths import MAX_NAME_BYTES
from archive_colorizer.storage.file_view import describe_change
from archive_colorizer.storage.interface import Entry, EntryKind

# A fifo that takes a file's place between two looks must not block.
OPEN_READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_KINDS: Final[dict[int, EntryKind]] = {
    stat.S_IFDIR: "folder",
    stat.S_IFREG: "file",
    stat.S_IFLNK: "link",
}


_OPEN_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_MAX_PATH_BYTES: Final = 4000
"""Longer paths are entered in pieces, since the system takes 4,096 bytes at once."""


@contextmanager
def _enter(path: Path) -> Iterator[tuple[str, int | None]]:
    """Yield the path, or its last piece and an open folder that it lies in; raises OSError."""
    text, folder = os.fspath(path), None
    try:
        while len(os.fsencode(text)) > _MAX_PATH_BYTES:
            # A character has at most four bytes.
            end = text.rfind("/", 0, _MAX_PATH_BYTES // 4)
            if end <= 0:
                break
            inner = os.open(text[:end], os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
            if folder is not None:
                os.close(folder)
            text, folder = text[end + 1 :], inner
        yield text, folder
    finally:
        if folder is not None:
            os.close(folder)


def _open(path: Path, flags: int = OPEN_READ) -> int:
    with _enter(path) as (name, folder):
        return os.open(name, flags, dir_fd=folder)


def _examine(path: Path) -> os.stat_result:
    with _enter(path) as (name, folder):
        return os.lstat(name, dir_fd=folder)


class _LocalListing:
    """The entries of a folder; each is looked at when its turn comes."""

    def __init__(self, folder: Path, names: list[str] | None = None) -> None:
        self._folder = os.fspath(folder)
        self._is_deep = len(os.fsencode(folder)) + MAX_NAME_BYTES > _MAX_PATH_BYTES
        if names is None:
            opened: int | Path = _open(folder, _OPEN_FOLDER) if self._is_deep else folder
            try:
                with os.scandir(opened) as entries:
                    names = sorted((entry.name for entry in entries), key=os.fsencode)
            finally:
                if isinstance(opened, int):
                    os.close(opened)
        self.names = names

    def inspect(self, name: str) -> Entry:
        path = os.path.join(self._folder, name)  # noqa: PTH118 (surrogates, speed)
        status = _examine(Path(path)) if self._is_deep else os.lstat(path)
        return Entry(_KINDS.get(stat.S_IFMT(status.st_mode), "special"), Stamp.from_stat(status))


@dataclass(frozen=True, slots=True)
class LocalStorage:
    """A path on a disk."""

    path: Path

    def read(self, _expected_stamp: Stamp | None = None) -> tuple[bytes, Stamp]:
        with open_regular_file(self.path) as file:
            status = os.fstat(file.fileno())
            try:
                data = file.read()
            except OSError as error:
                raise _describe_unreadable(self.path, error) from None
        if len(data) != status.st_size:
            raise describe_change(self.path)
        return data, Stamp.from_stat(status)

    def read_beginning(self, length: int, _stamp: Stamp) -> bytes:
        with open(_open(self.path), "rb", buffering=0) as file:
            return file.read(length)

    def check_unchanged(self, stamp: Stamp) -> None:
        try:
            current_stamp = Stamp.from_stat(_examine(self.path))
        except OSError as error:
            raise SourceChanged(
                f"{self.path} went away during its restoration: {error.strerror}"
            ) from None
        if current_stamp != stamp:
            raise SourceChanged(f"{self.path} was written to during its restoration; run again")

    def is_file(self) -> bool:
        return self.path.is_file()

    def is_present(self) -> bool:
        return os.path.lexists(self.path)

    def find_stamp(self) -> Stamp | None:
        try:
            status = _examine(self.path)
        except (OSError, ValueError):
            return None
        return Stamp.from_stat(status) if stat.S_ISREG(status.st_mode) else None

    def read_fixity(self) -> tuple[Stamp, str] | None:
        try:
            with open_regular_file(self.path) as file:
                before = Stamp.from_stat(os.fstat(file.fileno()))
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                after = Stamp.from_stat(os.fstat(file.fileno()))
        except (SourceError, OSError, ValueError):
            return None
        return (after, digest) if after == before else None

    def list_folder(self, names: list[str] | None = None) -> _LocalListing:
        """List a folder; `names`: those to list of one that cannot be read."""
        return _LocalListing(self.path, names)

    @contextmanager
    def copy_locally(self) -> Iterator[Path]:
        yield self.path


def open_regular_file(path: Path) -> BufferedReader:
    """Open a regular file; raises SourceError."""
    try:
        file = open(_open(path), "rb")  # noqa: SIM115 (own flags)
    except OSError as error:
        raise _describe_unreadable(path, error) from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise SourceError(f"{path} is no regular file")
    return file


def _describe_unreadable(path: Path, error: OSError) -> SourceError:
    why = "it is a link" if error.errno == errno.ELOOP else error.strerror
    return SourceError(f"{path} cannot be read: {why}")
