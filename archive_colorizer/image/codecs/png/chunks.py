"""Find the chunks of a PNG file, and read it without those that say nothing about its pixels."""

import io
import struct
from bisect import bisect_right
from collections.abc import Container, Iterator
from operator import itemgetter
from typing import Final

from archive_colorizer.errors import SourceError
from archive_colorizer.image.raster import DecodeOptions
from archive_colorizer.storage.file_view import FileContent

_SIGNATURE: Final = 8
_IS_ANCILLARY: Final = 32
"""Bit of the first letter of a chunk's type: decoders may ignore it."""
_SMALL_METADATA: Final = 1 << 16
_FEW_CHUNKS: Final = 256
"""Metadata that libvips may see; 64 KB inflate to 66 MB at most."""


def iterate_places(data: FileContent) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, beginning and end of each complete chunk."""
    at = _SIGNATURE
    while at + 12 <= len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        if at + 12 + size > len(data):
            return
        yield kind, at, at + 12 + size
        at += 12 + size


def iterate_chunks(data: FileContent, kinds: Container[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield type and content of each complete chunk of these types."""
    for kind, start, end in iterate_places(data):
        if kind in kinds:
            yield kind, data[start + 8 : end - 4]


class PixelChunks:
    """A PNG as a stream without the chunks that say nothing about its pixels."""

    def __init__(self, data: FileContent, hidden: list[tuple[int, int]]) -> None:
        """hidden: begin and end of chunks, in ascending order."""
        self._data = data
        self._at = self._size = 0
        self._shown: list[tuple[int, int]] = []
        """Begin in this stream, and in the data."""
        start = 0
        for place, end in (*hidden, (len(data), len(data))):
            if place > start:
                self._shown.append((self._size, start))
                self._size += place - start
            start = end

    def __len__(self) -> int:
        return self._size

    def read(self, count: int) -> bytes:
        """Read at most `count` bytes; none at the end, or if the file cannot be read."""
        index = bisect_right(self._shown, self._at, key=itemgetter(0)) - 1
        begin, place = self._shown[index]
        following = self._shown[index + 1][0] if index + 1 < len(self._shown) else self._size
        start = place + self._at - begin
        try:
            part = self._data[start : start + min(count, max(0, following - self._at))]
        except SourceError:
            # It cannot pass through libvips, which then finds that the picture ends early.
            return b""
        self._at += len(part)
        return part

    def seek(self, offset: int, whence: int) -> int:
        """Seek like a file."""
        beginning = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}
        self._at = beginning[whence] + offset
        return self._at


def hide_metadata(data: FileContent, request: DecodeOptions) -> FileContent | PixelChunks:
    """Hide large metadata from libvips, which would inflate all of it; we read it with limits.

    Raises PictureTooCostly for too many chunks.
    """
    hidden = []
    for kind, start, end in iterate_places(data):
        if kind[0] & _IS_ANCILLARY and kind != b"tRNS":
            hidden.append((start, end))
    request.check_parts(len(hidden))
    size = sum(end - start for start, end in hidden)
    is_small = size < _SMALL_METADATA and len(hidden) < _FEW_CHUNKS
    return data if is_small else PixelChunks(data, hidden)
