"""Has a file or an object changed?  Ask its stamp first and its content only in doubt."""

import hashlib
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from archive_colorizer.location import Address
from archive_colorizer.records.jobs import Stamp
from archive_colorizer.storage import listing_cache as listing

Where = str | os.PathLike[str] | Address


def is_there(place: Where) -> bool:
    """Whether anything has this place, a broken link, too; an object as listed lately."""
    if isinstance(place, Address):
        return listing.stamp_of(place) is not None
    return os.path.lexists(place)


def read_stamp(path: Where) -> Stamp | None:
    """The stamp of a regular file; None for a link, another kind of file, or nothing.

    Of an object, what the latest listing of its folder tells.
    """
    if isinstance(path, Address):
        return listing.stamp_of(path)
    try:
        status = os.lstat(path)
    except (OSError, ValueError):
        return None
    return Stamp.of(status) if stat.S_ISREG(status.st_mode) else None


def read_fixity(path: Where) -> tuple[Stamp, str] | None:
    """Stamp and sha256 of a regular file; None when it cannot be read or changes meanwhile."""
    if isinstance(path, Address):
        return listing.fixity_of(path)
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with open(os.open(path, flags), "rb") as stream:  # noqa: PTH123 (own flags)
            before = os.fstat(stream.fileno())
            if not stat.S_ISREG(before.st_mode):
                return None
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            after = Stamp.of(os.fstat(stream.fileno()))
    except (OSError, ValueError):
        return None
    return (after, digest) if after == Stamp.of(before) else None


def refreshed(
    path: Where, now: Stamp | None, stamp: Stamp | None, sha256: str | None
) -> Stamp | None:
    """The file's present stamp when it is what `stamp` and `sha256` once recorded, else None."""
    if now is None or now == stamp:
        return now
    if sha256 is None:
        return None
    found = read_fixity(path)
    return found[0] if found is not None and found[1] == sha256 else None


LIST: Final = ".sha256"
"""How the name of a list ends that stands for a folder of frames."""


_LINE: Final = re.compile(r"(?P<sha256>[0-9a-f]{64})  (?P<name>[^/\0]+/[^/\0]+)")


def list_of(folder: str, digests: Mapping[str, str]) -> bytes:
    """The list of a folder's files, for `sha256sum -c` where the list stands."""
    return b"".join(os.fsencode(f"{digest}  {folder}/{name}\n") for name, digest in digests.items())


def read_list(path: Path) -> dict[str, str]:
    """Sha256 by path relative to the list; lines that are none are passed over.

    Names lead one folder down and nowhere else.  Raises OSError when it cannot be read.
    """
    matches = map(_LINE.fullmatch, os.fsdecode(path.read_bytes()).split("\n"))
    named = {match["name"]: match["sha256"] for match in matches if match}
    return {name: sha256 for name, sha256 in named.items() if ".." not in name.split("/")}
