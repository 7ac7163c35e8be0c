"""TIFF directories: the frame of EXIF streams and of TIFF files.

A reader that copies nothing and believes nothing: every offset is checked, a directory that
is cut gives the entries that are whole, and no chain is followed twice.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from archive_colorizer.storage.file_view import Stored

ORIENTATION: Final = 274
EXIF_POINTER: Final = 34665
GPS_POINTER: Final = 34853
INTEROP_POINTER: Final = 40965
_COLOR_SPACE: Final = 40961
_PIXEL_X: Final = 40962
_PIXEL_Y: Final = 40963

_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_SIZES_BIG: Final = {**_SIZES, 13: 4, 16: 8, 17: 8, 18: 8}
_WHOLE: Final = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_INCH: Final = 2.54
_ENTRIES: Final = 1024
"""Of a directory that are read at once."""


class BrokenDirectory(ValueError):
    """The stream is no TIFF stream, or a directory lies outside of it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One tag: its type, its number of values, where they lie and how many bytes they take.

    place: where the entry itself begins.
    """

    kind: int
    count: int
    at: int
    size: int
    place: int


@dataclass(frozen=True, slots=True)
class Directory:
    """Entries by tag; `next` is the offset of the directory that follows, `next_at` its place."""

    entries: dict[int, Entry]
    next: int
    next_at: int


@dataclass(frozen=True, slots=True)
class TiffStream:
    """A TIFF stream with its byte order; `big` for BigTIFF."""

    data: Stored
    order: Literal["<", ">"]
    big: bool
    first: int

    @classmethod
    def open(cls, data: Stored) -> "TiffStream":
        """Raises BrokenDirectory when `data` has no TIFF header."""
        orders: dict[bytes, Literal["<", ">"]] = {b"II": "<", b"MM": ">"}
        order = orders.get(data[:2])
        if order is None or len(data) < 8:
            raise BrokenDirectory("no TIFF header")
        version = struct.unpack(order + "H", data[2:4])[0]
        if version == 43 and len(data) >= 16:
            return cls(data, order, True, struct.unpack(order + "Q", data[8:16])[0])
        if version != 42:
            raise BrokenDirectory(f"TIFF version {version}")
        return cls(data, order, False, struct.unpack(order + "I", data[4:8])[0])

    def directory(self, at: int) -> Directory:
        """The directory at an offset; entries whose values lie outside are left out.

        Raises BrokenDirectory when it does not begin inside the stream.
        """
        counter, entry, pointer = ("Q", "HHQQ", "Q") if self.big else ("H", "HHII", "I")
        start = at + struct.calcsize("=" + counter)
        if at <= 0 or start > len(self.data):
            raise BrokenDirectory(f"directory at {at} of {len(self.data)} bytes")
        (stated,) = struct.unpack(self.order + counter, self.data[at:start])
        width = struct.calcsize("=" + entry)
        count = min(stated, (len(self.data) - start) // width)
        entries: dict[int, Entry] = {}
        for place, (tag, kind, values, offset) in self._fields(entry, start, count):
            one = self._entry(kind, values, offset, place)
            if one is not None:
                entries.setdefault(tag, one)
        end = start + count * width
        behind = end + struct.calcsize("=" + pointer)
        if count < stated or behind > len(self.data):
            return Directory(entries, 0, end)
        (following,) = struct.unpack(self.order + pointer, self.data[end:behind])
        return Directory(entries, following, end)

    def _fields(
        self, layout: str, start: int, count: int
    ) -> Iterator[tuple[int, tuple[int, int, int, int]]]:
        """The place and the fields of each entry; a directory may state millions of them."""
        width = struct.calcsize("=" + layout)
        end = start + count * width
        for at in range(start, end, width * _ENTRIES):
            part = self.data[at : min(at + width * _ENTRIES, end)]
            fields = struct.iter_unpack(self.order + layout, part)
            yield from zip(range(at, end, width), fields, strict=False)

    def _entry(self, kind: int, count: int, offset: int, place: int) -> Entry | None:
        size = _SIZES_BIG.get(kind, 0) * count
        inline = place + (12 if self.big else 8)
        at = inline if size <= (8 if self.big else 4) else offset
        if not size or at + size > len(self.data):
            return None
        return Entry(kind, count, at, size, place)

    def raw(self, entry: Entry) -> bytes:
        """The bytes of an entry's values, in the stream's byte order."""
        return self.data[entry.at : entry.at + entry.size]

    def numbers(self, entry: Entry | None) -> tuple[float, ...]:
        """An entry's values when they are whole numbers or rationals, else nothing."""
        if entry is None:
            return ()
        if entry.kind in (5, 10):
            letter = "I" if entry.kind == 5 else "i"
            flat = struct.unpack(f"{self.order}{2 * entry.count}{letter}", self.raw(entry))
            return tuple(a / b if b else 0.0 for a, b in zip(flat[::2], flat[1::2], strict=True))
        if entry.kind not in _WHOLE:
            return ()
        return struct.unpack(f"{self.order}{entry.count}{_WHOLE[entry.kind]}", self.raw(entry))

    def number(self, directory: Directory, tag: int, default: int) -> int:
        """The first value of a tag, or `default`."""
        values = self.numbers(directory.entries.get(tag))
        return int(values[0]) if values else default


def orientation_of(stream: TiffStream, directory: Directory) -> int:
    """EXIF orientation, 1 to 8; anything else in the file counts as 1."""
    stated = stream.number(directory, ORIENTATION, 1)
    return stated if 1 <= stated <= 8 else 1


def resolution_of(stream: TiffStream, directory: Directory) -> tuple[float, float] | None:
    """Horizontal and vertical resolution in dots per inch, or None where no unit is given."""
    unit = {2: 1.0, 3: _INCH}.get(stream.number(directory, 296, 2))
    across = stream.numbers(directory.entries.get(282))
    down = stream.numbers(directory.entries.get(283))
    if unit is None or not (across and down and across[0] > 0 and down[0] > 0):
        return None
    return across[0] * unit, down[0] * unit


def make_upright(exif: bytes) -> bytes:
    """An EXIF stream for the picture as seen: orientation 1, no thumbnail, sides exchanged.

    Patched in place, so that maker notes keep their bytes and their offsets.  The thumbnail
    is cut off by its pointer, since it would show the picture before its restoration.
    Raises BrokenDirectory.
    """
    stream = TiffStream.open(exif)
    first = stream.directory(stream.first)
    patched = bytearray(exif)
    turned = orientation_of(stream, first) >= 5
    entry = first.entries.get(ORIENTATION)
    if entry is not None and entry.kind == 3:
        struct.pack_into(stream.order + "H", patched, entry.at, 1)
    if first.next:
        struct.pack_into(stream.order + ("Q" if stream.big else "I"), patched, first.next_at, 0)
    pointer = stream.number(first, EXIF_POINTER, 0)
    if turned and pointer:
        _exchange_sides(stream, pointer, patched)
    return bytes(patched)


def say_srgb(exif: bytes) -> bytes:
    """The EXIF stream with color space 1 (sRGB) where it says another, patched in place."""
    stream = TiffStream.open(exif)
    patched = bytearray(exif)
    details = _below(stream, stream.directory(stream.first), EXIF_POINTER)
    if details is None:
        return exif
    space = details.entries.get(_COLOR_SPACE)
    if space is not None and space.kind == 3:
        struct.pack_into(stream.order + "H", patched, space.at, 1)
    exchange = _below(stream, details, INTEROP_POINTER)
    index = exchange.entries.get(1) if exchange else None
    if index is not None and stream.raw(index).startswith(b"R03"):
        patched[index.at : index.at + 3] = b"R98"
    return bytes(patched)


def _below(stream: TiffStream, directory: Directory, pointer: int) -> Directory | None:
    at = stream.number(directory, pointer, 0)
    try:
        return stream.directory(at) if at else None
    except BrokenDirectory:
        return None


def _exchange_sides(stream: TiffStream, pointer: int, patched: bytearray) -> None:
    try:
        entries = stream.directory(pointer).entries
    except BrokenDirectory:
        return
    across, down = entries.get(_PIXEL_X), entries.get(_PIXEL_Y)
    if across and down and across.kind == down.kind and across.size == down.size:
        patched[across.at : across.at + across.size] = stream.raw(down)
        patched[down.at : down.at + down.size] = stream.raw(across)
