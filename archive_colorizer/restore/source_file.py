"""Open the file of a photograph, in place where it is large, and check its fixity."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from archive_colorizer.errors import FixityMismatch
from archive_colorizer.image.signatures import MAGIC_LENGTH, sniff
from archive_colorizer.location import Address, Place
from archive_colorizer.records.jobs import Source, Stamp
from archive_colorizer.storage.file_view import OnDisk, Stored, digest_of
from archive_colorizer.storage.reading import open_regular_file, read_source

_IN_PLACE: Final = 8 << 20
"""Bytes from which on a file is read where it lies: less is read at once, and held, at no cost."""


@contextmanager
def open_source(path: Place, known: Stamp) -> Iterator[tuple[Stored, Stamp]]:
    """As `read_source`, but of a large TIFF, PNG or BMP nothing is read before it is asked for.

    Whoever has read it asks `check_unchanged` whether all of it was one content.
    """
    if isinstance(path, Address) or known.size < _IN_PLACE:
        yield read_source(path, known)
        return
    with open_regular_file(path) as file:
        status = os.fstat(file.fileno())
        content = OnDisk(file.fileno(), status.st_size, str(path))
        if sniff(content[:MAGIC_LENGTH]) in ("png", "tiff", "bmp"):
            yield content, Stamp.of(status)
            return
    yield read_source(path, known)


def check_fixity(data: Stored, source: Source) -> None:
    """Raise FixityMismatch when the content is not what somebody has vouched for."""
    algorithm, _, digest = source.fixity.partition(":")
    if digest and digest_of(data, algorithm) != digest:
        raise FixityMismatch(
            f"{source.name} has not the {algorithm} that its bag gives; look for a better copy"
        )
