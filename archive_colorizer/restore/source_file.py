"""Open the file of a photograph, and check its fixity."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from archive_colorizer.discovery.walk import attach_companions
from archive_colorizer.errors import FixityMismatch, SourceError
from archive_colorizer.image.signatures import MAGIC_LENGTH, sniff
from archive_colorizer.location import Location, ObjectLocation
from archive_colorizer.records.jobs import Source, Stamp
from archive_colorizer.storage.file_view import FileContent, FileView, compute_digest
from archive_colorizer.storage.local import open_regular_file
from archive_colorizer.storage.reading import read_source

_IN_PLACE: Final = 8 << 20
"""Files of this many bytes and more are read in pieces, as they are needed."""


def find_source(path: Path) -> Source:
    """Describe one photograph on disk, with its companions; raises SourceError."""
    root, name = os.path.split(os.path.abspath(path))  # noqa: PTH100 (names that are no UTF-8)
    try:
        stamp = Stamp.from_stat(path.lstat())
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None
    return attach_companions(Source(root, name, stamp))


@contextmanager
def open_source(path: Location, expected: Stamp) -> Iterator[tuple[FileContent, Stamp]]:
    """Open a source as `read_source` does, but read a large TIFF, PNG or BMP only as needed.

    Call `Storage.check_unchanged` after reading: pieces may have been read from different contents.
    """
    if isinstance(path, ObjectLocation) or expected.size < _IN_PLACE:
        yield read_source(path, expected)
        return
    with open_regular_file(path) as file:
        status = os.fstat(file.fileno())
        content = FileView(file.fileno(), status.st_size, str(path))
        if sniff(content[:MAGIC_LENGTH]) in ("png", "tiff", "bmp"):
            yield content, Stamp.from_stat(status)
            return
    yield read_source(path, expected)


def check_fixity(data: FileContent, source: Source) -> None:
    """Raise FixityMismatch when the content has another digest than its bag states."""
    algorithm, _, digest = source.fixity.partition(":")
    if digest and compute_digest(data, algorithm) != digest:
        raise FixityMismatch(
            f"{source.name} has not the {algorithm} that its bag gives; look for a better copy"
        )
