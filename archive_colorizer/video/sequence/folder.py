"""Encode finished frames, and write folders of them with lists of checksums for sha256sum.

A folder appears complete by one rename, before the list next to it: a list proves that its
frames exist.  Names in a list are relative to the folder that holds the list.
"""

import errno
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from archive_colorizer.color.correct import compress_to_gamut
from archive_colorizer.color.space import Plane, compute_rgb
from archive_colorizer.errors import TargetExists
from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.image.codecs.jpeg import codec as jpeg
from archive_colorizer.image.metadata.xmp import ProvenanceNote, add_provenance
from archive_colorizer.output.local import open_folder
from archive_colorizer.records.jobs import JobContext
from archive_colorizer.storage.atomic import describe_write_error
from archive_colorizer.storage.fixity import read_checksum_list
from archive_colorizer.storage.reading import read_source
from archive_colorizer.video.film import Codes, ColorFrame
from archive_colorizer.video.sequence.dpx import is_dpx, write_dpx
from archive_colorizer.video.sequence.source import hash_file

_MAX_PIXELS: Final = 400_000_000
_STRIP: Final = 128
_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


@dataclass(frozen=True, slots=True, eq=False)
class NamedFrame:
    """A finished frame, the source file whose format it takes, and its file name."""

    frame: ColorFrame
    source: Path
    name: str


def _encode_still(frame: ColorFrame, codes: Codes, source: Path, note: ProvenanceNote) -> bytes:
    """Encode a finished frame with the format, depth, alpha and metadata of its source file.

    frame: full range BT.601, chroma 4:4:4, or 4:2:0 for JPEG.  JPEG is encoded at the quality
    that keeps luma within 1 code value, all others without loss.
    note: stored in the XMP, or in the creator field of a DPX.
    Raises SourceError when the source cannot be read, and ResultUnwritable.
    """
    data, _ = read_source(source)
    if is_dpx(data):
        creator = f"{note.software}, color by {note.model}"
        return write_dpx(_build_rgb(frame, codes), codes.depth, data, creator)
    raster = stills.decode(data, source.name, _MAX_PIXELS, profile="keep")
    metadata = replace(raster.metadata, xmp=add_provenance(raster.metadata.xmp, note))
    if raster.format == "jpeg":
        luma, cb, cr = (np.asarray(plane, np.uint8) for plane in (frame.luma, frame.cb, frame.cr))
        return jpeg.encode_jpeg(luma, cb, cr, metadata, jpeg.FAITHFUL_QUALITY)
    return stills.encode(_build_rgb(frame, codes), raster, metadata)


def write_frames(
    frames: Iterable[NamedFrame], codes: Codes, folder: Path, note: ProvenanceNote
) -> dict[str, str]:
    """Write each frame into the new `folder`; returns sha256 by name.

    Raises OutputError when it cannot be written, SourceError when a source cannot be
    read, and ResultUnwritable.
    """
    try:
        folder.mkdir()
        digests = {}
        for named_frame in frames:
            data = _encode_still(named_frame.frame, codes, named_frame.source, note)
            with (folder / named_frame.name).open("xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            digests[named_frame.name] = hashlib.sha256(data).hexdigest()
    except OSError as error:
        raise describe_write_error(folder, error) from error
    return digests


def gather_frames(lists: Sequence[Path], folder: Path) -> dict[str, str]:
    """Gather the frames of these lists in the new `folder`; returns sha256 by name.

    Frames are hard-linked where the file system can, and copied otherwise, so that an
    interruption loses nothing.  Raises OutputError.
    """
    digests: dict[str, str] = {}
    try:
        folder.mkdir()
        for list_path in lists:
            for path, digest in read_checksum_list(list_path).items():
                name = path.rpartition("/")[2]
                _link(list_path.parent / path, folder / name)
                digests[name] = digest
    except OSError as error:
        raise describe_write_error(folder, error) from error
    return digests


def deliver_folder(
    temporary: Path,
    target: str,
    context: JobContext,
    previous_list: Path | None,
    digests: dict[str, str],
) -> None:
    """Move a folder below the work folder to `target` below the output, by one rename.

    It replaces the frames of `previous_list`, and frames with the same `digests` (by name), which
    an interrupted run leaves.  Raises TargetExists for a folder that holds anything else, and
    OutputError.
    """
    parent, _, name = target.rpartition("/")
    result = Path(context.output, target)
    try:
        with open_folder(str(temporary)) as descriptor:
            os.fsync(descriptor)
        if os.path.lexists(result):
            if not _is_ours(result, previous_list, digests):
                raise TargetExists(
                    f"{result} holds what is not this program's and was kept; "
                    "move it away and run again"
                )
            result.rename(temporary.with_name(f"{secrets.token_hex(8)}.old"))
        with (
            open_folder(context.work) as work_fd,
            open_folder(context.output, parent) as parent_fd,
        ):
            os.rename(temporary.name, name, src_dir_fd=work_fd, dst_dir_fd=parent_fd)
            os.fsync(parent_fd)
    except OSError as error:
        raise describe_write_error(result, error) from error


def _is_ours(folder: Path, previous_list: Path | None, digests: dict[str, str]) -> bool:
    """Whether a folder holds only frames that its list names, or that equal the new ones."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    listed_names = set()
    if previous_list is not None and previous_list.is_file():
        listed_names = {Path(name).name for name in read_checksum_list(previous_list)}
    return all(
        path.name in listed_names
        or (
            stat.S_ISREG(path.lstat().st_mode)
            and path.name in digests
            and hash_file(path) == digests[path.name]
        )
        for path in folder.iterdir()
    )


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copyfile(source, target)
        with target.open("rb") as stream:
            os.fsync(stream.fileno())


def _build_rgb(frame: ColorFrame, codes: Codes) -> Plane:
    """Convert 4:4:4 planes to R'G'B': luma within 1 code value, color reduced into gamut."""
    rgb: npt.NDArray[Any] = np.empty((*frame.luma.shape, 3), dtype=frame.luma.dtype)
    for top in range(0, rgb.shape[0], _STRIP):
        rows = slice(top, top + _STRIP)
        luma = codes.normalize_luma(frame.luma[rows])
        chroma = np.stack(
            (codes.normalize_chroma(frame.cb[rows]), codes.normalize_chroma(frame.cr[rows])), axis=2
        )
        rgb[rows] = codes.encode_luma(compute_rgb(luma, compress_to_gamut(chroma, luma)))
    return rgb
