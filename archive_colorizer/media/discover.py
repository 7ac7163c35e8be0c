"""Find the photographs below a root, and account for everything else there."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from archive_colorizer.errors import FixityMismatch, SourceChanged, SourceError
from archive_colorizer.media.magic import (
    MAGIC_LENGTH,
    foreign,
    is_appledouble,
    is_foreign_raw,
    raw_is_readable,
    sniff,
)
from archive_colorizer.records import Source, Stamp, Unfit

_PICTURES: Final = frozenset(
    "jpg jpeg jpe jpf jpx jp2 j2k j2c jpc png tif tiff webp bmp dib avif heic heif hif".split()
)
_UNPROMISED: Final = frozenset("gif jxl psd psb".split())
_RAW: Final = frozenset(
    "dng nef nrw cr2 cr3 crw arw sr2 srf orf rw2 raf pef srw 3fr fff iiq mef erf kdc dcr".split()
)
_LEFTOVERS: Final = frozenset(("thumbs.db", "desktop.ini", ".ds_store"))
_OPEN_READ: Final = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
)
"""No link is followed, and a fifo put in a file's place between two looks does not block."""


def walk(root: Path, prefix: str = "") -> Iterator[Source | Unfit]:
    """Everything below `root` that is no folder, in an order that is the same everywhere.

    Depth first, names in the order of their bytes.  One `lstat` an entry; only files without
    a picture's extension are opened, for 16 bytes.  Links are never followed below the root.
    A root that is a file yields that file.  Memory grows with the largest folder, not with
    the tree.  Raises SourceError when the root is missing or cannot be listed.
    """
    top = os.path.abspath(root)  # noqa: PTH100 (Path.absolute keeps "..", which hides overlaps)
    try:
        if stat.S_ISDIR(os.stat(top).st_mode):  # noqa: PTH116
            names = _names(top)
        else:
            top, name = os.path.split(top)
            names = [name]
    except OSError as error:
        raise SourceError(f"{root} cannot be read: {error.strerror}; check the path") from None
    yield from _visit(top, names, prefix)


def read_source(path: Path) -> tuple[bytes, Stamp]:
    """A file's whole content and its stamp, from one opening.

    Raises SourceError when it cannot be read or is no regular file, SourceChanged when it
    grew or shrank meanwhile.
    """
    try:
        with open(os.open(path, _OPEN_READ), "rb") as file:  # noqa: PTH123 (own flags)
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise SourceError(f"{path} is no regular file")
            data = file.read()
    except OSError as error:
        why = "it is a link" if error.errno == errno.ELOOP else error.strerror
        raise SourceError(f"{path} cannot be read: {why}") from None
    if len(data) != status.st_size:
        raise SourceChanged(f"{path} was written to while it was read; run again when it rests")
    return data, Stamp.of(status)


def check_fixity(data: bytes, source: Source) -> None:
    """Raise FixityMismatch when the content is not what somebody has vouched for."""
    algorithm, _, digest = source.fixity.partition(":")
    if digest and hashlib.new(algorithm, data).hexdigest() != digest:
        raise FixityMismatch(
            f"{source.name} has not the {algorithm} that its bag gives; look for a better copy"
        )


def check_unchanged(path: Path, stamp: Stamp) -> None:
    """Raise SourceChanged when the file at `path` is not what it was at `stamp`."""
    try:
        now = Stamp.of(os.lstat(path))
    except OSError as error:
        raise SourceChanged(f"{path} went away during its restoration: {error.strerror}") from None
    if now != stamp:
        raise SourceChanged(f"{path} was written to during its restoration; run again")


def _visit(top: str, names: list[str], prefix: str) -> Iterator[Source | Unfit]:
    """Walk with a stack of its own: Python's would end at some hundred levels."""
    stack: list[tuple[str, Iterator[str]]] = [("", iter(names))]
    while stack:
        folder, pending = stack[-1]
        name = next(pending, None)
        if name is None:
            stack.pop()
            continue
        relative = f"{folder}/{name}" if folder else name
        try:
            status = os.lstat(os.path.join(top, relative))  # noqa: PTH118 (surrogates, speed)
            if stat.S_ISDIR(status.st_mode):
                stack.append((relative, iter(_names(os.path.join(top, relative)))))  # noqa: PTH118
                continue
        except OSError as error:
            message = f"{relative} cannot be read: {error.strerror}"
            yield Unfit(top, relative, "unreadable", message, failed=True, prefix=prefix)
            continue
        yield _judge(top, relative, status, prefix)


def _names(folder: str) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted((entry.name for entry in entries), key=os.fsencode)


def _judge(top: str, relative: str, status: os.stat_result, prefix: str) -> Source | Unfit:
    if stat.S_ISLNK(status.st_mode):
        return Unfit(top, relative, "symlink", f"{relative} is a link", prefix=prefix)
    if not stat.S_ISREG(status.st_mode):
        message = f"{relative} is a fifo, socket or device"
        return Unfit(top, relative, "special-file", message, prefix=prefix)
    source = Source(top, relative, Stamp.of(status), prefix)
    name = relative.rpartition("/")[2]
    extension = name.rpartition(".")[2].lower()
    if extension in _PICTURES and not name.startswith("._"):
        return source
    if extension in _RAW and not name.startswith("._"):
        return source if raw_is_readable() else _unsupported(source, f"camera raw (.{extension})")
    try:
        return _look_inside(source, extension)
    except OSError as error:
        message = f"{relative} cannot be read: {error.strerror}"
        return Unfit(top, relative, "unreadable", message, failed=True, prefix=prefix)


def _look_inside(source: Source, extension: str) -> Source | Unfit:
    """Judge a file by its first bytes, for its name does not promise a picture."""
    if source.relative.rpartition("/")[2].lower() in _LEFTOVERS:
        return _not_a_picture(source, "was left by a file browser")
    with open(os.open(source.path, _OPEN_READ), "rb", buffering=0) as file:  # noqa: PTH123
        beginning = file.read(MAGIC_LENGTH)
    if is_appledouble(beginning):
        return _not_a_picture(source, "is a shadow file of macOS")
    if sniff(beginning) or extension in _PICTURES:
        return source
    if is_foreign_raw(beginning) and raw_is_readable():
        return source
    known = foreign(beginning)
    if known or extension in _UNPROMISED:
        return _unsupported(source, known or extension.upper())
    return _not_a_picture(source, "is no picture")


def _unsupported(source: Source, kind: str) -> Unfit:
    message = (
        f"{source.relative}: {kind} is not read by this version; convert it to TIFF or PNG first"
    )
    if "raw" in kind:
        message = (
            f"{source.relative}: {kind} needs the extra 'raw' "
            "(pip install 'archive-colorizer[raw]'), or develop it to TIFF first"
        )
    where = (source.root, source.relative)
    return Unfit(*where, "unsupported", message, failed=True, prefix=source.prefix)


def _not_a_picture(source: Source, why: str) -> Unfit:
    message = f"{source.relative} {why}"
    return Unfit(source.root, source.relative, "not-a-picture", message, prefix=source.prefix)
