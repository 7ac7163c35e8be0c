"""Decode 16-bit PNG strip by strip, independently of libvips, to check results.

Supports only the filters that use one neighbor, which our own results of 16 bit have.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from archive_colorizer.color.space import Plane
from archive_colorizer.image.codecs.strips import Strips
from archive_colorizer.storage.file_view import FileContent

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_HEADER_END: Final = 33
_CHANNELS: Final = {0: 1, 2: 3, 4: 2, 6: 4}
_NONE, _SUB, _UP = 0, 1, 2
_READ_BYTES: Final = 1 << 16
_STRIP_BYTES: Final = 1 << 20


class BrokenPngError(ValueError):
    """The file is not a valid PNG."""


class UnsupportedPngError(ValueError):
    """The PNG is not of 16 bit, is interlaced, or uses other filters."""


def decode_png_strips(content: FileContent) -> Strips:
    """Decode the strips of a 16-bit PNG and verify all its checksums.

    Raises UnsupportedPngError and BrokenPngError, also while the strips are read.
    """
    beginning = content[:_HEADER_END]
    if not beginning.startswith(_SIGNATURE) or len(beginning) < _HEADER_END:
        raise BrokenPngError("no PNG header")
    width, height, bits, kind, _, _, interlaced = struct.unpack(">IIBBBBB", beginning[16:29])
    if bits != 16 or kind not in _CHANNELS or interlaced:
        raise UnsupportedPngError
    strips = _decode_strips(content, height, width, _CHANNELS[kind])
    return Strips((height, width), np.dtype(np.uint16), strips)


def _decode_strips(content: FileContent, height: int, width: int, channels: int) -> Iterator[Plane]:
    stride = 1 + 2 * width * channels
    count = max(1, _STRIP_BYTES // stride)
    previous_row, buffer, remaining = np.zeros(stride - 1, np.uint8), b"", height
    for piece in _decompress_pixels(content, count * stride):
        buffer += piece
        rows = min(len(buffer) // stride, remaining)
        if rows and (rows >= count or rows == remaining):
            lines = np.frombuffer(buffer, np.uint8, rows * stride).reshape(rows, stride)
            buffer, remaining = buffer[rows * stride :], remaining - rows
            strip = _revert_filters(lines, previous_row, 2 * channels)
            previous_row = strip[-1]
            yield strip.view(">u2").astype(np.uint16).reshape(rows, width, channels)
    if remaining or buffer:
        raise BrokenPngError("another number of rows than its header says")


def _revert_filters(lines: Any, previous_row: Any, pixel_bytes: int) -> Any:
    import imagecodecs

    strip = np.empty_like(lines[:, 1:])
    for line, row in zip(lines, strip, strict=True):
        body = line[1:]
        if line[0] == _SUB:
            pixels, differences = (part.reshape(-1, pixel_bytes) for part in (row, body))
            imagecodecs.delta_decode(differences, axis=0, out=pixels)
        elif line[0] == _UP:
            np.add(body, previous_row, out=row)
        elif line[0] == _NONE:
            row[:] = body
        else:
            raise UnsupportedPngError
        previous_row = row
    return strip


def _decompress_pixels(content: FileContent, max_bytes: int) -> Iterator[bytes]:
    """Decompress the IDAT chunks, about `max_bytes` at a time."""
    stream = zlib.decompressobj()
    try:
        for compressed in _read_pixel_chunks(content):
            rest = compressed
            while rest:
                yield stream.decompress(rest, max_bytes)
                rest = stream.unconsumed_tail
    except zlib.error as error:
        raise BrokenPngError(str(error)) from None
    yield stream.flush()
    if not stream.eof:
        raise BrokenPngError("its pixels end early")


def _read_pixel_chunks(content: FileContent) -> Iterator[bytes]:
    """Yield the content of all IDAT chunks in pieces, and verify the checksum of every chunk."""
    at = len(_SIGNATURE)
    kind = b""
    while kind != b"IEND":
        head = content[at : at + 8]
        if len(head) < 8:
            raise BrokenPngError("cut before its end")
        size, kind = struct.unpack(">I4s", head)
        end, check = at + 8 + size, zlib.crc32(kind)
        for start in range(at + 8, end, _READ_BYTES):
            piece = content[start : min(start + _READ_BYTES, end)]
            check = zlib.crc32(piece, check)
            if kind == b"IDAT":
                yield piece
        if content[end : end + 4] != check.to_bytes(4, "big"):
            raise BrokenPngError(f"the checksum of a chunk {kind!r} is wrong")
        at = end + 4
