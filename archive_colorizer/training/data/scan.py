"""Find color photographs in tars and folders by reading only their headers."""

import io
import lzma
import os
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO

import simplejpeg

from archive_colorizer.errors import SourceError, UsageError
from archive_colorizer.training.data.store import FileSlice, PhotoIndex

MEMORY_GB = 4.0
_GB = 10**9
_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
_SMALLEST_SIDE = 64
_UNREADABLE = (OSError, EOFError, tarfile.TarError, zlib.error, lzma.LZMAError)
_HEADER_SIZES = (4096, 65536)  # most headers end within the first; long ones hold a preview


def read_photos(locations: Sequence[Path], memory_gb: float = MEMORY_GB) -> PhotoIndex:
    """Find all color photographs in tars and folders, sorted by source and name.

    They are loaded into memory if they take at most `memory_gb` (10^9 bytes), and otherwise
    read on each access.  Errors: see `index_photos`.
    """
    photos = index_photos(locations, memory_gb)
    photos.load_into_memory(int(memory_gb * _GB))
    return photos


def index_photos(locations: Sequence[Path], memory_gb: float = MEMORY_GB) -> PhotoIndex:
    """Index photographs like `read_photos`, but keep only those of compressed tars in memory.

    A folder may contain tars; each tar and each direct subfolder is a source.  Grey JPEGs,
    pictures with a side under 64 pixels and other files are skipped.  Raises UsageError when a
    location does not exist or has no photographs, or when compressed tars take more than
    `memory_gb`; SourceError when a location cannot be read.
    """
    photos = PhotoIndex()
    for location in locations:
        if location.is_dir():
            _add_folder(photos, location, memory_gb)
        elif location.is_file():
            _add_tar(photos, location, memory_gb)
        else:
            raise UsageError(f"--data {location}: no such folder or tar")
    if not photos:
        raise UsageError(f"--data {', '.join(map(str, locations))}: no color photographs in there")
    photos.sort()
    return photos


def _add_folder(photos: PhotoIndex, folder: Path, memory_gb: float) -> None:
    for path in _walk(folder):
        if path.suffix.lower() == ".tar":
            _add_tar(photos, path, memory_gb)
        elif path.suffix.lower() in _SUFFIXES and path.is_file():
            name = path.relative_to(folder).as_posix()
            source = name.split("/", 1)[0] if "/" in name else folder.resolve().name
            size = _get_photo_size(path)
            if size:
                photos.add_file(source, name, str(folder.absolute()), size)


def _walk(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(where, name) for name in sorted(names))


def _get_photo_size(path: Path) -> int:
    """Return the size of a file, or 0 if it is not a color photograph."""
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            return size if _is_photo(stream, 0, size) else 0
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}); check --data") from None


def _add_tar(photos: PhotoIndex, path: Path, memory_gb: float) -> None:
    try:
        with tarfile.open(path) as archive:
            stream = archive.fileobj
            while (member := archive.next()) is not None:
                # The list would take a kilobyte for each member.
                archive.members.clear()  # type: ignore[attr-defined]
                if member.isfile() and PurePosixPath(member.name).suffix.lower() in _SUFFIXES:
                    # Offsets in a compressed tar are not offsets in its file.
                    if isinstance(stream, io.BufferedReader) and not member.issparse():
                        if _is_photo(stream, member.offset_data, member.size):
                            span = FileSlice(str(path.absolute()), member.offset_data, member.size)
                            photos.add_slice(path.stem, member.name, span)
                    else:
                        _add_to_memory(photos, path, archive, member, memory_gb)
    except _UNREADABLE as error:
        raise SourceError(f"{path}: cannot be read as a tar ({error}); build it again") from None


def _add_to_memory(
    photos: PhotoIndex,
    path: Path,
    archive: tarfile.TarFile,
    member: tarfile.TarInfo,
    memory_gb: float,
) -> None:
    stream = archive.extractfile(member)
    content = stream.read() if stream else b""
    if _is_photo(io.BytesIO(content), 0, len(content)):
        photos.add_content(path.stem, member.name, content)
    if photos.memory_bytes > memory_gb * _GB:
        raise UsageError(
            f"{path}: is compressed, so that it must be held in memory, and takes more than "
            f"{memory_gb:g} GB; decompress it, or give more --memory"
        )


def _is_photo(stream: IO[bytes], start: int, size: int) -> bool:
    """Check that `size` bytes from `start` are a usable photograph, by reading their header."""
    for length in (*_HEADER_SIZES, size):
        stream.seek(start)
        header = stream.read(min(length, size))
        if header[:2] != b"\xff\xd8":
            return len(header) > 0
        try:
            height, width, space, _ = simplejpeg.decode_jpeg_header(header)
        except ValueError:
            if length >= size:
                return False
        else:
            return bool(space == "YCbCr" and min(height, width) >= _SMALLEST_SIDE)
    return False
