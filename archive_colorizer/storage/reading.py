"""Read sources whole, from a disk or an object store, and tell whether they changed meanwhile."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

from archive_colorizer.errors import (
    SourceChanged,
    SourceError,
    StoreUnreachable,
)
from archive_colorizer.location import Address, Place
from archive_colorizer.records.jobs import NO_STAMP, Stamp
from archive_colorizer.storage import objects

OPEN_READ: Final = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
)
"""No link is followed, and a fifo put in a file's place between two looks does not block."""


def read_source(path: Place, known: Stamp | None = None) -> tuple[bytes, Stamp]:
    """A file's or an object's whole content and its stamp, from one opening.

    known: of an object, see `read_object`.  Raises SourceError when it cannot be read or is
    no regular file, SourceChanged when it grew or shrank meanwhile.
    """
    if isinstance(path, Address):
        return read_object(path, known)
    with open_regular_file(path) as file:
        status = os.fstat(file.fileno())
        try:
            data = file.read()
        except OSError as error:
            raise describe_unreadable(path, error) from None
    if len(data) != status.st_size:
        raise SourceChanged(f"{path} was written to while it was read; run again when it rests")
    return data, Stamp.of(status)


def open_regular_file(path: Path) -> BinaryIO:
    """A regular file, open; raises SourceError."""
    try:
        file = open(os.open(path, OPEN_READ), "rb")  # noqa: PTH123, SIM115 (own flags)
    except OSError as error:
        raise describe_unreadable(path, error) from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise SourceError(f"{path} is no regular file")
    return file


def describe_unreadable(path: Path, error: OSError) -> SourceError:
    why = "it is a link" if error.errno == errno.ELOOP else error.strerror
    return SourceError(f"{path} cannot be read: {why}")


def check_unchanged(path: Place, stamp: Stamp) -> None:
    """Raise SourceChanged when what is at `path` is not what it was at `stamp`."""
    if isinstance(path, Address):
        check_object(path, stamp)
        return
    try:
        now = Stamp.of(os.lstat(path))
    except OSError as error:
        raise SourceChanged(f"{path} went away during its restoration: {error.strerror}") from None
    if now != stamp:
        raise SourceChanged(f"{path} was written to during its restoration; run again")


def read_object(place: Address, known: Stamp | None = None) -> tuple[bytes, Stamp]:
    """An object's whole content and its stamp.

    known: the stamp that it had when it was listed, which saves a request; `check_object`
    must ask afterwards whether it still has it.  Raises SourceError, StoreUnreachable, and
    SourceChanged when the size is another.
    """
    try:
        stamp = known or objects.look(place).stamp or NO_STAMP
        data = objects.read(place)
    except OSError as error:
        raise source_error(place, error) from None
    if len(data) != stamp.size:
        raise SourceChanged(f"{place} was written to while it was read; run again when it rests")
    return data, stamp


def is_object(place: Address) -> bool:
    """Whether there is an object of exactly this key; raises SourceError."""
    try:
        return bool(place.key) and objects.look(place).stamp is not None
    except FileNotFoundError:
        return False
    except OSError as error:
        raise source_error(place, error) from None


def check_object(place: Address, stamp: Stamp) -> None:
    """Raise SourceChanged when the object is not what it was at `stamp`."""
    try:
        now = objects.look(place).stamp
    except FileNotFoundError:
        raise SourceChanged(f"{place} went away during its restoration") from None
    except OSError as error:
        raise source_error(place, error) from None
    if now != stamp:
        raise SourceChanged(f"{place} was written to since it was listed; run again")


def source_error(place: Address, error: OSError) -> SourceError:
    """What to say when an object or a folder of them cannot be read."""
    if isinstance(error, ConnectionError):
        return StoreUnreachable(
            f"{place} cannot be read: {error.strerror}; check the network and run again"
        )
    return SourceError(f"{place} cannot be read: {error.strerror}")
