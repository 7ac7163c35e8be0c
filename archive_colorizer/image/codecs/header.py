"""What a picture's header tells before anybody decodes it: how much memory it will take."""

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from archive_colorizer.errors import DamagedPicture
from archive_colorizer.image.codecs.jpeg.segments import frame_of
from archive_colorizer.image.metadata.exif import BrokenDirectory, TiffStream
from archive_colorizer.image.raster import Format
from archive_colorizer.image.signatures import sniff
from archive_colorizer.location import Address, Place
from archive_colorizer.storage.objects import read_part

_BEGINNING: Final = 1 << 18
"""Bytes that hold the header of all formats but TIFF, behind a JPEG's metadata, too."""
_WINDOW: Final = 1 << 16
_BITS, _SHORT, _PALETTE = 258, 3, 3
_PLANES, _TILE_WIDTH, _FLOAT = 2, 322, 3
_OPEN_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_Part: TypeAlias = Callable[[int, int], bytes]
"""So many bytes from an offset."""

_ALWAYS: Final = 300 << 20
"""Bytes that libraries and network take before any picture."""


@dataclass(frozen=True, slots=True)
class Size:
    """Sides in pixels, samples of a pixel, bytes of a sample.

    in_planes: JPEG, which is restored without ever being RGB.
    codec: bytes a pixel that a decoder or encoder takes which wants the whole picture at once.
    """

    width: int
    height: int
    samples: int
    depth: int
    in_planes: bool = False
    codec: int = 0


def memory_of(path: Place) -> int:
    """Bytes that a worker takes at most to restore this picture; 0 where that is not known.

    Never raises: what is wrong with a file is found by whoever reads it.
    """
    if not isinstance(path, Address):
        return _memory_of(size_of(path))
    size = _look(partial(read_part, path))
    # An object is in memory while it is decoded, where a file is read from the disk.
    return _memory_of(size, 0 if size is None or size.in_planes else size.samples * size.depth)


def _memory_of(size: Size | None, held: int = 0) -> int:
    """held: bytes a pixel of the source."""
    if size is None:
        return 0
    return _ALWAYS + (_bytes_a_pixel(size) + held) * size.width * size.height


def size_of(path: Path) -> Size | None:
    """What the header says, of JPEG, PNG, TIFF (its first picture), BMP and JPEG 2000."""
    try:
        file = os.open(path, _OPEN_READ)
    except OSError:
        return None
    try:
        return _look(partial(os.pread, file))
    finally:
        os.close(file)


def _bytes_a_pixel(size: Size) -> int:
    """Some more than was measured, with --paranoid, too; docs/scaling.md has both."""
    if size.in_planes:
        return 6
    planes = 2 if size.samples in (2, 4) else 1  # luma and alpha
    return 4 + 2 * planes * size.depth + size.codec


def _look(read: _Part) -> Size | None:
    try:
        beginning = read(_BEGINNING, 0)
        kind = sniff(beginning)
        if kind == "tiff":
            return _tiff(read, beginning)
        reader = _READERS.get(kind) if kind else None
        return None if reader is None else reader(beginning)
    except (OSError, OverflowError, DamagedPicture, BrokenDirectory, struct.error):
        return None


def _jpeg(data: bytes) -> Size:
    frame = frame_of(data, "")
    return Size(frame.width, frame.height, frame.components, 1, in_planes=True)


def _png(data: bytes) -> Size:
    width, height, bits, kind, _, _, laced = struct.unpack_from(">IIBBBBB", data, 16)
    samples = {0: 1, 2: 3, 3: 3, 4: 2}.get(kind, 4)  # palettes become RGB
    depth = 2 if bits > 8 else 1
    return Size(width, height, samples, depth, codec=samples * depth if laced else 0)


def _bmp(data: bytes) -> Size:
    width, height = struct.unpack_from("<ii", data, 18)
    return Size(abs(width), abs(height), 3, 1, codec=4)


def _jp2(data: bytes) -> Size | None:
    at = data.find(b"\xff\x51")  # SIZ, which begins every codestream
    if at < 0:
        return None
    right, low, left, top = struct.unpack_from(">IIII", data, at + 6)
    (samples,) = struct.unpack_from(">H", data, at + 38)
    bits = (data[at + 40] & 0x7F) + 1 if len(data) > at + 40 else 8
    depth = 2 if bits > 8 else 1
    return Size(right - left, low - top, samples, depth, codec=22 + 3 * samples * depth)


_Reader: TypeAlias = Callable[[bytes], Size | None]
_READERS: Final[dict[Format, _Reader]] = {"jpeg": _jpeg, "png": _png, "bmp": _bmp, "jp2": _jp2}


def _tiff(read: _Part, beginning: bytes) -> Size:
    """The first directory, of which only the values inside it can be had from a window."""
    stream = TiffStream.open(beginning)
    # One byte in front, since no directory begins at 0.
    window = b"\0" + read(_WINDOW, stream.first)
    near = TiffStream(window, stream.order, stream.big, 1)
    page = near.directory(1)
    width, height = near.number(page, 256, 0), near.number(page, 257, 0)
    bits = _first_bits(read, near)
    depth = max(1, -(-bits // 8))  # 4 and 8 of floating point
    samples = 3 if near.number(page, 262, 1) == _PALETTE else near.number(page, 277, 1)
    tiled_planes = near.number(page, 284, 1) == _PLANES and _TILE_WIDTH in page.entries
    is_rare = bits not in (1, 2, 4, 8, 16) or tiled_planes or near.number(page, 339, 1) == _FLOAT
    return Size(width, height, samples, depth, codec=2 * samples * depth if is_rare else 0)


def _first_bits(read: _Part, stream: TiffStream) -> int:
    """The first of the bits of a sample, which may lie anywhere in the file; 1 by default."""
    start, layout, inline = (9, "HHQQ", 8) if stream.big else (3, "HHII", 4)
    width = struct.calcsize("=" + layout)
    for place in range(start, len(stream.data) - width, width):
        fields = struct.unpack(stream.order + layout, stream.data[place : place + width])
        tag, kind, count, offset = fields
        if tag == _BITS and kind == _SHORT:
            here = stream.data[place + width - inline : place + width]
            value = here[:2] if 2 * count <= inline else read(2, offset)
            return int(struct.unpack(stream.order + "H", value)[0])
        if tag > _BITS:
            break
    return 1
