"""Folders of finished frames, each with a list of checksums beside it, in sha256sum's format.

A folder appears whole under its name by one rename, before its list: where the list is, the
frames are.  Names in a list are relative to the folder that holds the list.
"""

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from archive_colorizer.errors import OutputError, TargetExists
from archive_colorizer.image.metadata.model import ProvenanceNote
from archive_colorizer.output.local import open_folder, open_target_folder
from archive_colorizer.records.jobs import Workplace
from archive_colorizer.storage.fixity import read_list
from archive_colorizer.video.film import Codes, ColorFrame
from archive_colorizer.video.sequence.encoder import encode_still

_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


@dataclass(frozen=True, slots=True, eq=False)
class NamedFrame:
    """A finished frame, the source file that its own shall be like, and its file's name."""

    frame: ColorFrame
    like: Path
    name: str


def write_frames(
    frames: Iterable[NamedFrame], codes: Codes, folder: Path, note: ProvenanceNote
) -> dict[str, str]:
    """Write each frame into the new `folder`; sha256 by name.

    Raises OutputError when it cannot be written, and as `encode_still` does.
    """
    try:
        folder.mkdir()
        written = {}
        for one in frames:
            data = encode_still(one.frame, codes, one.like, note)
            with (folder / one.name).open("xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            written[one.name] = hashlib.sha256(data).hexdigest()
    except OSError as error:
        raise _unwritable(folder, error) from error
    return written


def gather_frames(lists: Sequence[Path], folder: Path) -> dict[str, str]:
    """Put the frames of these lists together in the new `folder`; sha256 by name.

    Frames get a second name where the file system has hard links, and are copied elsewhere,
    so that whoever is killed in here has lost nothing.  Raises OutputError.
    """
    together: dict[str, str] = {}
    try:
        folder.mkdir()
        for one in lists:
            for path, digest in read_list(one).items():
                name = path.rpartition("/")[2]
                _link(one.parent / path, folder / name)
                together[name] = digest
    except OSError as error:
        raise _unwritable(folder, error) from error
    return together


def bring_folder(
    temporary: Path, target: str, workplace: Workplace, known: Path | None, made: dict[str, str]
) -> None:
    """Give a folder below the work folder its name `target` below the output, by one rename.

    known: the list of an earlier result there, whose folder may go, as may one with the very
    frames that are `made` (sha256 by name), which a killed run has left.  A folder that holds
    anything else is kept.  Raises TargetExists for that, and OutputError.
    """
    parent, _, name = target.rpartition("/")
    place = Path(workplace.output, target)
    try:
        _sync_folder(temporary)
        if os.path.lexists(place):
            if not _is_ours(place, known, made):
                raise TargetExists(
                    f"{place} holds what is not this program's and was kept; "
                    "move it away and run again"
                )
            place.rename(temporary.with_name(f"{secrets.token_hex(8)}.old"))
        with (
            open_folder(workplace.work) as work,
            open_target_folder(workplace.output, parent) as beside,
        ):
            os.rename(temporary.name, name, src_dir_fd=work, dst_dir_fd=beside)
            os.fsync(beside)
    except OSError as error:
        raise _unwritable(place, error) from error


def _is_ours(folder: Path, known: Path | None, made: dict[str, str]) -> bool:
    """Whether a folder holds nothing but what its list names, or what was made again."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    listed = known is not None and known.is_file()
    named = {Path(name).name for name in read_list(known)} if known and listed else set()
    return all(
        one.name in named or _is_frame(one, made.get(one.name)) for one in os.scandir(folder)
    )


def _is_frame(entry: os.DirEntry[str], sha256: str | None) -> bool:
    if sha256 is None or not entry.is_file(follow_symlinks=False):
        return False
    with open(entry.path, "rb") as stream:  # noqa: PTH123 (a name as the system gave it)
        return hashlib.file_digest(stream, "sha256").hexdigest() == sha256


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copyfile(source, target)
        with target.open("rb") as stream:
            os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    with open_folder(str(folder)) as descriptor:
        os.fsync(descriptor)


def _unwritable(place: Path, error: OSError) -> OutputError:
    why = error.strerror or str(error)
    return OutputError(f"cannot write {place}: {why}; mend that and run again")
