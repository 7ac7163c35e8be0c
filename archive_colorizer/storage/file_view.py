"""The content of a file: bytes, or a view of an open file that is read in pieces."""

import hashlib
import io
import os
from typing import BinaryIO, Final, TypeAlias

from archive_colorizer.errors import SourceChanged, SourceError

_PIECE: Final = 1 << 20


class FileView:
    """An open file whose slices are bytes.

    The opener closes it, and checks its stamp once more when all is read.  Slices raise
    SourceError when reading fails, and SourceChanged when the file has become shorter.
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
                raise describe_change(self._name)
            pieces.append(piece)
            start += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


FileContent: TypeAlias = bytes | FileView
"""Both support slices; `content[:]` is all of it as bytes."""


def open_content(content: FileContent) -> BinaryIO:
    """Open a stream at the beginning; of a FileView only one at a time."""
    if isinstance(content, bytes):
        return io.BytesIO(content)
    os.lseek(content.descriptor, 0, os.SEEK_SET)
    return open(os.dup(content.descriptor), "rb")  # noqa: PTH123 (a descriptor)


def describe_change(name: object) -> SourceChanged:
    """Say that a file changed while it was read."""
    return SourceChanged(f"{name} was written to while it was read; run again when it rests")


def compute_digest(content: FileContent, algorithm: str = "sha256") -> str:
    """Hash the content; returns hexadecimal digits."""
    digest = hashlib.new(algorithm)
    for offset in range(0, len(content), _PIECE):
        digest.update(content[offset : offset + _PIECE])
    return digest.hexdigest()
