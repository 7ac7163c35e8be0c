"""Find color photographs in tars and folders, looking at no more of each than its header."""

import io
import lzma
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import simplejpeg

from archive_colorizer.errors import SourceError, UsageError
from archive_colorizer.training.data.store import Photos, Span

MEMORY_GB = 4.0
_GB = 10**9
_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
_SMALLEST_SIDE = 64
_UNREADABLE = (OSError, EOFError, tarfile.TarError, zlib.error, lzma.LZMAError)
_HEADS = (4096, 65536)  # most headers end within the first; long ones hold a preview


def read_photos(places: Sequence[Path], memory_gb: float = MEMORY_GB) -> Photos:
    """All color photographs in tars and folders, sorted by source and name.

    They are held in memory if they take no more than `memory_gb` (10^9 bytes), and read
    from their places whenever they are wanted if they take more.  Errors: `index_photos`.
    """
    photos = index_photos(places, memory_gb)
    photos.hold(int(memory_gb * _GB))
    return photos


def index_photos(places: Sequence[Path], memory_gb: float = MEMORY_GB) -> Photos:
    """As `read_photos`, but nothing is held in memory that can be read again.

    A folder may hold tars; each tar and each folder directly below a given one is a source.
    Grey JPEGs, pictures with a side under 64 pixels and files of other kinds are left out.
    Raises UsageError when a place does not exist, when nothing is found, or when compressed
    tars, which have to be held, take more than `memory_gb`; SourceError when a place cannot
    be read.
    """
    photos = Photos()
    for place in places:
        if place.is_dir():
            _add_folder(photos, place, memory_gb)
        elif place.is_file():
            _add_tar(photos, place, memory_gb)
        else:
            raise UsageError(f"--data {place}: no such folder or tar")
    if not photos:
        raise UsageError(f"--data {', '.join(map(str, places))}: no color photographs in there")
    photos.sort()
    return photos


def _add_folder(photos: Photos, folder: Path, memory_gb: float) -> None:
    for path in _walk(folder):
        if path.suffix.lower() == ".tar":
            _add_tar(photos, path, memory_gb)
        elif path.suffix.lower() in _SUFFIXES and path.is_file():
            name = path.relative_to(folder).as_posix()
            source = name.split("/", 1)[0] if "/" in name else folder.resolve().name
            size = _size_of_photo(path)
            if size:
                photos.add_file(source, name, str(folder.absolute()), size)


def _walk(folder: Path) -> Iterator[Path]:
    """All files below, in the same order every time, a folder at a time."""
    for where, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(where, name) for name in sorted(names))


def _size_of_photo(path: Path) -> int:
    """The size of a file, or 0 if it is no color photograph."""
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size

            def head(most: int) -> bytes:
                stream.seek(0)
                return stream.read(most)

            return size if _is_photo(head, size) else 0
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}); check --data") from None


def _add_tar(photos: Photos, path: Path, memory_gb: float) -> None:
    try:
        with tarfile.open(path) as archive:
            # The stream of a compressed tar is another: its places are none in the file.
            in_place = isinstance(archive.fileobj, io.BufferedReader)
            while (member := archive.next()) is not None:
                # Or it would keep a kilobyte for each member.
                archive.members.clear()  # type: ignore[attr-defined]
                if member.isfile() and PurePosixPath(member.name).suffix.lower() in _SUFFIXES:
                    if in_place and not member.issparse():
                        _add_in_place(photos, path, archive, member)
                    else:
                        _add_held(photos, path, archive, member)
                        _check_room(photos, path, memory_gb)
    except _UNREADABLE as error:
        raise SourceError(f"{path}: cannot be read as a tar ({error}); build it again") from None


def _add_in_place(
    photos: Photos, path: Path, archive: tarfile.TarFile, member: tarfile.TarInfo
) -> None:
    stream = archive.fileobj

    def head(most: int) -> bytes:
        assert stream is not None  # noqa: S101
        stream.seek(member.offset_data)
        return stream.read(min(most, member.size))

    if _is_photo(head, member.size):
        span = Span(str(path.absolute()), member.offset_data, member.size)
        photos.add_span(path.stem, member.name, span)


def _add_held(
    photos: Photos, path: Path, archive: tarfile.TarFile, member: tarfile.TarInfo
) -> None:
    stream = archive.extractfile(member)
    content = stream.read() if stream else b""
    if _is_photo(lambda most: content[:most], len(content)):
        photos.add_content(path.stem, member.name, content)


def _check_room(photos: Photos, path: Path, memory_gb: float) -> None:
    if photos.held_bytes > memory_gb * _GB:
        raise UsageError(
            f"{path}: is compressed, so that it must be held in memory, and takes more than "
            f"{memory_gb:g} GB; decompress it, or give more --memory"
        )


def _is_photo(head: Callable[[int], bytes], size: int) -> bool:
    """Whether `size` bytes, of which `head` gives the first, are to be trained on."""
    for most in (*_HEADS, size):
        found = head(most)
        if found[:2] != b"\xff\xd8":
            return len(found) > 0
        try:
            height, width, space, _ = simplejpeg.decode_jpeg_header(found)
        except ValueError:
            if most >= size:
                return False
        else:
            return bool(space == "YCbCr" and min(height, width) >= _SMALLEST_SIDE)
    return False
