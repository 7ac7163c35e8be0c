"""The content of a file: its bytes, or a file that stays on the disk and is read piece by piece."""

import hashlib
import io
import os
from collections.abc import Iterator
from typing import BinaryIO, Final, TypeAlias

from archive_colorizer.errors import SourceChanged, SourceError

_PIECE: Final = 1 << 20


class OnDisk:
    """A file that is open for reading, of which slices are bytes.

    Whoever opens it closes it, and looks at its stamp once more when all is read.  Slices raise
    SourceError where the disk does, and SourceChanged where the file has become shorter.
    """

    __slots__ = ("_name", "_size", "descriptor")

    def __init__(self, descriptor: int, size: int, name: str) -> None:
        self.descriptor = descriptor
        self._size = size
        self._name = name

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self._size)
        pieces = []
        while start < stop:
            try:
                piece = os.pread(self.descriptor, stop - start, start)
            except OSError as error:
                raise SourceError(f"{self._name} cannot be read: {error.strerror}") from None
            if not piece:
                raise SourceChanged(
                    f"{self._name} was written to while it was read; run again when it rests"
                )
            pieces.append(piece)
            start += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


Stored: TypeAlias = bytes | OnDisk
"""Sliced alike; `content[:]` is all of it as bytes."""


def opened(content: Stored) -> BinaryIO:
    """A file to read from, at its beginning; of one on the disk there is one at a time."""
    if isinstance(content, bytes):
        return io.BytesIO(content)
    os.lseek(content.descriptor, 0, os.SEEK_SET)
    return open(os.dup(content.descriptor), "rb")  # noqa: PTH123 (a descriptor)


def digest_of(content: Stored, algorithm: str = "sha256") -> str:
    """The digest in hexadecimal."""
    digest = hashlib.new(algorithm)
    for piece in _pieces(content):
        digest.update(piece)
    return digest.hexdigest()


def _pieces(content: Stored) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    for at in range(0, len(content), _PIECE):
        yield content[at : at + _PIECE]
