"""Has a file changed?  Ask its stamp first and its content only in doubt."""

import hashlib
import os
import stat

from archive_colorizer.records import Stamp


def read_stamp(path: str | os.PathLike[str]) -> Stamp | None:
    """The stamp of a regular file; None for a link, another kind of file, or nothing."""
    try:
        status = os.lstat(path)
    except (OSError, ValueError):
        return None
    return Stamp.of(status) if stat.S_ISREG(status.st_mode) else None


def read_fixity(path: str | os.PathLike[str]) -> tuple[Stamp, str] | None:
    """Stamp and sha256 of a regular file; None when it cannot be read or changes meanwhile."""
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
    path: str | os.PathLike[str], now: Stamp | None, stamp: Stamp | None, sha256: str | None
) -> Stamp | None:
    """The file's present stamp when it is what `stamp` and `sha256` once recorded, else None."""
    if now is None or now == stamp:
        return now
    if sha256 is None:
        return None
    found = read_fixity(path)
    return found[0] if found is not None and found[1] == sha256 else None
