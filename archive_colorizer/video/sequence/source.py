"""A film as a source: its place, its stamp and the digest of its content."""

import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from archive_colorizer.errors import SourceChanged, SourceError
from archive_colorizer.records.jobs import Source, Stamp
from archive_colorizer.storage.reading import check_unchanged
from archive_colorizer.video.sequence.numbering import is_pattern, numbered_files


def find_film(path: Path) -> Source:
    """The film at an absolute path: a video, a folder of numbered pictures, or a pattern.

    The stamp of pictures is that of all together, with their number for an inode.  Raises
    SourceError for what `numbered_files` refuses and for what is no file.
    """
    root, name = str(path.parent), path.name
    if path.is_dir() or is_pattern(path):
        return Source(root, name, _together(frame_paths(path)))
    try:
        status = os.stat(path)  # noqa: PTH116 (one look, whatever kind it is)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}; check the path") from None
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"{path} is no regular file")
    return Source(root, name, Stamp.of(status))


def is_sequence(source: Source) -> bool:
    """Whether the film is numbered pictures."""
    return source.path.is_dir() or is_pattern(source.path)


def frame_paths(path: Path) -> list[Path]:
    """The files of a sequence, in order; raises SourceError as `numbered_files` does."""
    return [one.path for one in numbered_files(path)]


def digest_of_film(source: Source) -> str:
    """sha256 of a video, or of the list of its frames' sha256 in sha256sum's format.

    Raises SourceError when it cannot be read.
    """
    try:
        if not is_sequence(source):
            return _sha256(source.path)
        digest = hashlib.sha256()
        for path in frame_paths(source.path):
            digest.update(f"{_sha256(path)}  ".encode() + os.fsencode(path.name) + b"\n")
        return digest.hexdigest()
    except OSError as error:
        raise SourceError(f"{source.path} cannot be read: {error.strerror}") from None


def check_frames_unchanged(source: Source, first: int, last: int) -> None:
    """Raise SourceChanged when frames `first` to before `last` are not what was planned with."""
    if not is_sequence(source):
        check_unchanged(source.path, source.stamp)
        return
    now = _together(frame_paths(source.path)[first:last])
    if now.mtime_ns > source.stamp.mtime_ns or now.ctime_ns > source.stamp.ctime_ns:
        raise SourceChanged(f"{source.path} was written to during its restoration; run again")


def _together(paths: Sequence[Path]) -> Stamp:
    try:
        stamps = [Stamp.of(os.stat(path)) for path in paths]  # noqa: PTH116
    except OSError as error:
        raise SourceError(f"{error.filename} cannot be read: {error.strerror}") from None
    return Stamp(
        size=sum(one.size for one in stamps),
        mtime_ns=max(one.mtime_ns for one in stamps),
        ctime_ns=max(one.ctime_ns for one in stamps),
        inode=len(stamps),
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
