"""16-bit PNG read strip by strip, by zlib and what the definition says: a second opinion.

It understands the filters that look at one neighbor, as results of 16 bit have them.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from archive_colorizer.color.space import Plane
from archive_colorizer.image.codecs.strips import Strips
from archive_colorizer.storage.file_view import Stored

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_HEADER_END: Final = 33
_CHANNELS: Final = {0: 1, 2: 3, 4: 2, 6: 4}
_NONE, _SUB, _UP = 0, 1, 2
_PIECE: Final = 1 << 16
_AT_A_TIME: Final = 1 << 20


class BrokenPng(ValueError):
    """The file is not what a PNG must be."""


class OtherPng(ValueError):
    """Of a kind that is not read here: not of 16 bit, interlaced, or filtered otherwise."""


@dataclass(frozen=True, slots=True)
class _Header:
    """Sides in pixels, and channels."""

    width: int
    height: int
    channels: int

    @property
    def stride(self) -> int:
        """Bytes of a row of 16 bit."""
        return 2 * self.width * self.channels


def strips_of_png(content: Stored) -> Strips:
    """Strips of a 16-bit PNG.

    Here and while strips are taken, raises OtherPng, and BrokenPng, at the end at the latest, for
    damage: all checksums are verified.
    """
    beginning = content[:_HEADER_END]
    if beginning[:8] != _SIGNATURE or len(beginning) < _HEADER_END:
        raise BrokenPng("no PNG header")
    width, height, bits, kind, _, _, interlaced = struct.unpack(">IIBBBBB", beginning[16:29])
    if bits != 16 or kind not in _CHANNELS or interlaced:
        raise OtherPng
    header = _Header(width, height, _CHANNELS[kind])
    return Strips((height, width), np.dtype(np.uint16), _by_zlib(content, header))


def _by_zlib(content: Stored, header: _Header) -> Iterator[Plane]:
    width = header.stride + 1
    count = max(1, _AT_A_TIME // width)
    above, held, left = np.zeros(header.stride, np.uint8), b"", header.height
    for piece in _inflated(content, count * width):
        held += piece
        rows = min(len(held) // width, left)
        if rows and (rows >= count or rows == left):
            lines = np.frombuffer(held, np.uint8, rows * width).reshape(rows, width)
            held, left = held[rows * width :], left - rows
            strip = _unfiltered(lines, above, header)
            above = strip[-1]
            samples = strip.view(">u2").astype(np.uint16)
            yield samples.reshape(rows, header.width, header.channels)
    if left or held:
        raise BrokenPng("another number of rows than its header says")


def _unfiltered(lines: Any, above: Any, header: _Header) -> Any:
    import imagecodecs

    pixel = 2 * header.channels
    strip = np.empty((len(lines), header.stride), np.uint8)
    for line, row in zip(lines, strip, strict=True):
        body = line[1:]
        if line[0] == _SUB:
            imagecodecs.delta_decode(body.reshape(-1, pixel), axis=0, out=row.reshape(-1, pixel))
        elif line[0] == _UP:
            np.add(body, above, out=row)
        elif line[0] == _NONE:
            row[:] = body
        else:
            raise OtherPng
        above = row
    return strip


def _inflated(content: Stored, most: int) -> Iterator[bytes]:
    """What the pixels' chunks hold, about `most` bytes at once."""
    stream = zlib.decompressobj()
    try:
        for packed in _packed(content):
            left = packed
            while left:
                yield stream.decompress(left, most)
                left = stream.unconsumed_tail
    except zlib.error as error:
        raise BrokenPng(str(error)) from None
    yield stream.flush()
    if not stream.eof:
        raise BrokenPng("its pixels end early")


def _packed(content: Stored) -> Iterator[bytes]:
    """The content of all IDAT chunks, piece by piece, when the checksum of each is verified."""
    at = len(_SIGNATURE)
    kind = b""
    while kind != b"IEND":
        head = content[at : at + 8]
        if len(head) < 8:
            raise BrokenPng("cut before its end")
        size, kind = struct.unpack(">I4s", head)
        end, check = at + 8 + size, zlib.crc32(kind)
        for start in range(at + 8, end, _PIECE):
            piece = content[start : min(start + _PIECE, end)]
            check = zlib.crc32(piece, check)
            if kind == b"IDAT":
                yield piece
        if content[end : end + 4] != check.to_bytes(4, "big"):
            raise BrokenPng(f"the checksum of a chunk {kind!r} is wrong")
        at = end + 4
