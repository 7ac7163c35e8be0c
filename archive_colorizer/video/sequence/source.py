"""Find a film as a source, stamp it, and hash its content."""

import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from archive_colorizer.errors import SourceChanged, SourceError
from archive_colorizer.records.jobs import Source, Stamp
from archive_colorizer.storage.reading import get_storage
from archive_colorizer.video.sequence.numbering import is_pattern, list_numbered_files


def find_film(path: Path) -> Source:
    """Find the film at an absolute path: a video, a folder of numbered pictures, or a pattern.

    A sequence's stamp combines those of its files, with their count as the inode.  Raises
    SourceError as `list_numbered_files` does, and for a path that is no regular file.
    """
    root, name = str(path.parent), path.name
    if _is_sequence(path):
        return Source(root, name, _combine_stamps(list_frame_paths(path)))
    try:
        status = os.stat(path)  # noqa: PTH116 (a single look, whatever its type)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}; check the path") from None
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"{path} is no regular file")
    return Source(root, name, Stamp.from_stat(status))


def list_frame_paths(path: Path) -> list[Path]:
    """List the files of a sequence in order; raises SourceError as `list_numbered_files` does."""
    return [file.path for file in list_numbered_files(path)]


def hash_film(source: Source) -> str:
    """Compute the sha256 of a video, or of a list of its frames' sha256 in sha256sum's format.

    Raises SourceError when it cannot be read.
    """
    try:
        if not _is_sequence(source.path):
            return hash_file(source.path)
        digest = hashlib.sha256()
        for path in list_frame_paths(source.path):
            digest.update(f"{hash_file(path)}  ".encode() + os.fsencode(path.name) + b"\n")
        return digest.hexdigest()
    except OSError as error:
        raise SourceError(f"{source.path} cannot be read: {error.strerror}") from None


def check_frames_unchanged(source: Source, first: int, last: int) -> None:
    """Raise SourceChanged if frames `first` to before `last` have changed since the plan."""
    if not _is_sequence(source.path):
        get_storage(source.path).check_unchanged(source.stamp)
        return
    now = _combine_stamps(list_frame_paths(source.path)[first:last])
    if now.mtime_ns > source.stamp.mtime_ns or now.ctime_ns > source.stamp.ctime_ns:
        raise SourceChanged(f"{source.path} was written to during its restoration; run again")


def _is_sequence(path: Path) -> bool:
    return path.is_dir() or is_pattern(path)


def _combine_stamps(paths: Sequence[Path]) -> Stamp:
    try:
        stamps = [Stamp.from_stat(os.stat(path)) for path in paths]  # noqa: PTH116
    except OSError as error:
        raise SourceError(f"{error.filename} cannot be read: {error.strerror}") from None
    return Stamp(
        size=sum(stamp.size for stamp in stamps),
        mtime_ns=max(stamp.mtime_ns for stamp in stamps),
        ctime_ns=max(stamp.ctime_ns for stamp in stamps),
        inode=len(stamps),
    )


def hash_file(path: Path) -> str:
    """Compute the sha256 of a file.  Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
