"""Find the photographs below a root, and account for everything else there.

Files are dealt with here, objects in media/buckets.py.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from archive_colorizer.discovery.bucket import check_object, read_object, walk_bucket
from archive_colorizer.discovery.classify import is_called_photograph, judge
from archive_colorizer.discovery.companions import Companions, find_companions
from archive_colorizer.discovery.folder import Folder, settings_beside, with_companions
from archive_colorizer.errors import FixityMismatch, SourceChanged, SourceError
from archive_colorizer.image.signatures import MAGIC_LENGTH, sniff
from archive_colorizer.location import Address, Place
from archive_colorizer.records.jobs import Source, Stamp, Unfit
from archive_colorizer.storage.file_view import OnDisk, Stored, digest_of

_OPEN_READ: Final = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
)
"""No link is followed, and a fifo put in a file's place between two looks does not block."""

_IN_PLACE: Final = 8 << 20
"""Bytes from which on a file is read where it lies: less is read at once, and held, at no cost."""


def walk(root: Place, prefix: str = "") -> Iterator[Source | Unfit]:
    """Everything below `root` that is no folder, in an order that is the same everywhere.

    Depth first, names in the order of their bytes.  One `lstat` an entry; only files without
    a picture's extension are opened, for 16 bytes.  Links are never followed below the root.
    A root that is a file yields that file.  Sources name the files of settings for them, which
    the listing of their folder shows; links to some are named, too, and fail when they are read.
    Memory grows with the largest folder, not with the tree.  Raises SourceError when the root
    is missing or cannot be listed.
    """
    if isinstance(root, Address):
        yield from walk_bucket(root, prefix)
        return
    top = os.path.abspath(root)  # noqa: PTH100 (Path.absolute keeps "..", which hides overlaps)
    try:
        if stat.S_ISDIR(os.stat(top).st_mode):  # noqa: PTH116
            first = Folder("", _names(top), ())
        else:
            top, name = os.path.split(top)
            first = Folder("", [one for one in settings_beside(name) if _is_there(top, one)], ())
            first.names = iter([name])
            first.companions = _beside_one(top, name)
    except OSError as error:
        raise SourceError(f"{root} cannot be read: {error.strerror}; check the path") from None
    yield from _visit(top, first, prefix)


def _is_there(folder: str, name: str) -> bool:
    return os.path.lexists(os.path.join(folder, name))  # noqa: PTH118 (surrogates)


def accompanied(source: Source) -> Source:
    """A source that was not found by `walk`, with the pictures that lie beside it."""
    folder, name = str(source.path.parent), source.path.name
    found = _beside_one(folder, name)
    return with_companions(source, found, name, partial(_stamp_at, folder))


def read_source(path: Place, known: Stamp | None = None) -> tuple[bytes, Stamp]:
    """A file's or an object's whole content and its stamp, from one opening.

    known: of an object, see `read_object`.  Raises SourceError when it cannot be read or is
    no regular file, SourceChanged when it grew or shrank meanwhile.
    """
    if isinstance(path, Address):
        return read_object(path, known)
    with _opened(path) as file:
        status = os.fstat(file.fileno())
        try:
            data = file.read()
        except OSError as error:
            raise _unreadable(path, error) from None
    if len(data) != status.st_size:
        raise SourceChanged(f"{path} was written to while it was read; run again when it rests")
    return data, Stamp.of(status)


@contextmanager
def open_source(path: Place, known: Stamp) -> Iterator[tuple[Stored, Stamp]]:
    """As `read_source`, but of a large TIFF, PNG or BMP nothing is read before it is asked for.

    Whoever has read it asks `check_unchanged` whether all of it was one content.
    """
    if isinstance(path, Address) or known.size < _IN_PLACE:
        yield read_source(path, known)
        return
    with _opened(path) as file:
        status = os.fstat(file.fileno())
        content = OnDisk(file.fileno(), status.st_size, str(path))
        if sniff(content[:MAGIC_LENGTH]) in ("png", "tiff", "bmp"):
            yield content, Stamp.of(status)
            return
    yield read_source(path, known)


def _opened(path: Path) -> BinaryIO:
    """A regular file, open; raises SourceError."""
    try:
        file = open(os.open(path, _OPEN_READ), "rb")  # noqa: PTH123, SIM115 (own flags)
    except OSError as error:
        raise _unreadable(path, error) from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise SourceError(f"{path} is no regular file")
    return file


def _unreadable(path: Path, error: OSError) -> SourceError:
    why = "it is a link" if error.errno == errno.ELOOP else error.strerror
    return SourceError(f"{path} cannot be read: {why}")


def check_fixity(data: Stored, source: Source) -> None:
    """Raise FixityMismatch when the content is not what somebody has vouched for."""
    algorithm, _, digest = source.fixity.partition(":")
    if digest and digest_of(data, algorithm) != digest:
        raise FixityMismatch(
            f"{source.name} has not the {algorithm} that its bag gives; look for a better copy"
        )


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


def _visit(top: str, first: Folder, prefix: str) -> Iterator[Source | Unfit]:
    """Walk with a stack of its own: Python's would end at some hundred levels."""
    stack = [first]
    while stack:
        folder = stack[-1]
        name = next(folder.names, None)
        if name is None:
            stack.pop()
            continue
        relative = folder.below(name)
        try:
            status = os.lstat(os.path.join(top, relative))  # noqa: PTH118 (surrogates, speed)
            if stat.S_ISDIR(status.st_mode):
                listed = _names(os.path.join(top, relative))  # noqa: PTH118
                stack.append(folder.inside(name, listed))
                continue
        except OSError as error:
            message = f"{relative} cannot be read: {error.strerror}"
            yield Unfit(top, relative, "unreadable", message, failed=True, prefix=prefix)
            continue
        belonging = folder.belonging(top, name, prefix)
        if belonging is not None:
            yield belonging
            continue
        found = _judge(top, relative, status, prefix, folder.settings_for(name))
        yield folder.with_beside(found, name, partial(_stamp_at, os.path.join(top, folder.path)))  # noqa: PTH118


def _beside_one(folder: str, name: str) -> Companions:
    """The companions of a single file; none where its folder cannot be listed."""
    with suppress(OSError):
        found = find_companions(_names(folder), is_called_photograph)
        # Somebody who asks for a companion itself takes it for a photograph.
        return Companions({name: found.of[name]}) if name in found.of else Companions()
    return Companions()


def _stamp_at(folder: str, name: str) -> Stamp | None:
    with suppress(OSError):
        return Stamp.of(os.lstat(os.path.join(folder, name)))  # noqa: PTH118 (surrogates)
    return None


def _names(folder: str) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted((entry.name for entry in entries), key=os.fsencode)


def _judge(
    top: str, relative: str, status: os.stat_result, prefix: str, whose: str | None
) -> Source | Unfit:
    """What is to become of a file; `whose` tells for whom it is a file of settings."""
    if stat.S_ISLNK(status.st_mode):
        return Unfit(top, relative, "symlink", f"{relative} is a link", prefix=prefix)
    if not stat.S_ISREG(status.st_mode):
        message = f"{relative} is a fifo, socket or device"
        return Unfit(top, relative, "special-file", message, prefix=prefix)
    return judge(Source(top, relative, Stamp.of(status), prefix), _beginning, whose)


def _beginning(source: Source) -> bytes:
    with open(os.open(source.path, _OPEN_READ), "rb", buffering=0) as file:  # noqa: PTH123
        return file.read(MAGIC_LENGTH)
