"""Find the photographs below a root, and account for everything else there.

Files are dealt with here, objects in media/buckets.py.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

from archive_colorizer.discovery.bucket import walk_bucket
from archive_colorizer.discovery.classify import is_called_photograph, judge
from archive_colorizer.discovery.companions import Companions, find_companions
from archive_colorizer.discovery.folder import Folder, settings_beside, with_companions
from archive_colorizer.errors import SourceError
from archive_colorizer.image.signatures import MAGIC_LENGTH
from archive_colorizer.location import Address, Place
from archive_colorizer.records.jobs import Source, Stamp, Unfit
from archive_colorizer.storage.reading import (
    OPEN_READ,
)


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
    with open(os.open(source.path, OPEN_READ), "rb", buffering=0) as file:  # noqa: PTH123
        return file.read(MAGIC_LENGTH)
