"""Read TIFF directories, of which EXIF streams and TIFF files consist.

The reader copies nothing and checks every offset; of a truncated directory it returns the
complete entries.
"""

import struct
from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from archive_colorizer.storage.file_view import FileContent

ORIENTATION: Final = 274
EXIF_POINTER: Final = 34665
GPS_POINTER: Final = 34853
INTEROP_POINTER: Final = 40965

_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8,
                 13: 4, 16: 8, 17: 8, 18: 8}  # fmt: skip
_NUMBER_CODES: Final = {1: "B", 3: "H", 4: "I", 5: "I", 10: "i", 13: "I", 16: "Q", 18: "Q"}
_RATIONALS: Final = (5, 10)
_INCH: Final = 2.54
_MOST_ENTRIES: Final = 1 << 16
"""Each tag of 16 bits may occur once; a BigTIFF could state more."""
_MOST_COPIES: Final = 2
"""Some writers let two tags share their value."""
_ENTRIES_AT_ONCE: Final = 1024
"""Entries of a directory that are read at once."""

Tag = tuple[int, int, int, bytes]
"""Tag number, type, number of values, and the values in the stream's byte order."""

Tree: TypeAlias = "tuple[list[Tag], dict[int, Tree]]"
"""The tags of a directory, and its subdirectories by pointer tag."""


class BrokenDirectory(ValueError):
    """The data are no TIFF stream, or a directory lies outside the stream."""


@dataclass(frozen=True, slots=True)
class _TiffEntry:
    """One tag: `kind` is the TIFF field type, `count` the number of values, `size` their bytes."""

    kind: int
    count: int
    value_offset: int
    size: int
    entry_offset: int


@dataclass(frozen=True, slots=True)
class Directory:
    """Entries by tag; `next` is the next directory's offset, `next_at` where it is stored."""

    entries: dict[int, _TiffEntry]
    next: int
    next_at: int

    def measure(self) -> int:
        """Measure the bytes of all values."""
        return sum(entry.size for entry in self.entries.values())


@dataclass(frozen=True, slots=True)
class TiffStream:
    """A TIFF stream; `big` means BigTIFF, `first` is the offset of the first directory."""

    data: FileContent
    order: Literal["<", ">"]
    big: bool
    first: int

    @classmethod
    def open(cls, data: FileContent) -> "TiffStream":
        """Parse the header of `data`; raises BrokenDirectory without one."""
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

    def read_directory(self, at: int) -> Directory:
        """Read the directory at an offset, without entries whose values lie outside the stream.

        Raises BrokenDirectory when it does not begin inside the stream.
        """
        counter, entry, pointer = ("Q", "HHQQ", "Q") if self.big else ("H", "HHII", "I")
        start = at + struct.calcsize("=" + counter)
        if at <= 0 or start > len(self.data):
            raise BrokenDirectory(f"directory at {at} of {len(self.data)} bytes")
        (stated,) = struct.unpack(self.order + counter, self.data[at:start])
        width = struct.calcsize("=" + entry)
        count = min(stated, _MOST_ENTRIES, (len(self.data) - start) // width)
        entries: dict[int, _TiffEntry] = {}
        inline_size, inline_offset = (8, 12) if self.big else (4, 8)
        for entry_offset, (tag, kind, values, offset) in self._iter_fields(entry, start, count):
            size = _SIZES.get(kind, 0) * values
            value_offset = entry_offset + inline_offset if size <= inline_size else offset
            if size and value_offset + size <= len(self.data):
                parsed = _TiffEntry(kind, values, value_offset, size, entry_offset)
                entries.setdefault(tag, parsed)
        end = start + count * width
        behind = end + struct.calcsize("=" + pointer)
        if count < stated or behind > len(self.data):
            return Directory(entries, 0, end)
        (following,) = struct.unpack(self.order + pointer, self.data[end:behind])
        return Directory(entries, following, end)

    def _iter_fields(
        self, layout: str, start: int, count: int
    ) -> Iterator[tuple[int, tuple[int, int, int, int]]]:
        """Yield each entry's offset and fields."""
        width = struct.calcsize("=" + layout)
        end = start + count * width
        for at in range(start, end, width * _ENTRIES_AT_ONCE):
            part = self.data[at : min(at + width * _ENTRIES_AT_ONCE, end)]
            fields = struct.iter_unpack(self.order + layout, part)
            yield from zip(range(at, end, width), fields, strict=False)

    def read_bytes(self, entry: _TiffEntry) -> bytes:
        """Read the bytes of an entry's values, in the stream's byte order."""
        return self.data[entry.value_offset : entry.value_offset + entry.size]

    def read_numbers(self, entry: _TiffEntry | None, most: int | None = None) -> tuple[float, ...]:
        """Read the values of an entry of integers or rationals; () for any other type.

        most: of the values, which may be millions; by default all.
        """
        if entry is None or entry.kind not in _NUMBER_CODES:
            return ()
        code, count = _NUMBER_CODES[entry.kind], entry.count
        if most is not None and most < count:
            count = most
            entry = replace(entry, size=entry.size // entry.count * count)
        if entry.kind in _RATIONALS:
            flat = struct.unpack(f"{self.order}{2 * count}{code}", self.read_bytes(entry))
            return tuple(a / b if b else 0.0 for a, b in zip(flat[::2], flat[1::2], strict=True))
        return struct.unpack(f"{self.order}{count}{code}", self.read_bytes(entry))

    def read_number(self, directory: Directory, tag: int, default: int) -> int:
        """Read the first value of a tag, or return `default`."""
        values = self.read_numbers(directory.entries.get(tag), 1)
        return int(values[0]) if values else default

    def read_orientation(self, directory: Directory) -> int:
        """Read the EXIF orientation, 1 to 8; invalid values count as 1."""
        stated = self.read_number(directory, ORIENTATION, 1)
        return stated if 1 <= stated <= 8 else 1

    def read_resolution(self, directory: Directory) -> tuple[float, float] | None:
        """Read the horizontal and vertical resolution in dots per inch; None without a unit."""
        unit = {2: 1.0, 3: _INCH}.get(self.read_number(directory, 296, 2))
        across, down = (self.read_numbers(directory.entries.get(tag), 1) for tag in (282, 283))
        if unit is None or not (across and down and across[0] > 0 and down[0] > 0):
            return None
        return across[0] * unit, down[0] * unit

    def read_tags(self, directory: Directory, among: Container[int] | None = None) -> list[Tag]:
        """Read the tags of classic types in a directory, by default all."""
        return [
            (tag, entry.kind, entry.count, self.read_bytes(entry))
            for tag, entry in directory.entries.items()
            if entry.kind <= 12 and (among is None or tag in among)
        ]

    def iterate_sub_directories(self, first: Directory) -> Iterator[Directory]:
        """Yield the EXIF, GPS and interoperability directories that there are."""
        for pointer in (EXIF_POINTER, GPS_POINTER):
            directory = self.follow(first, pointer)
            inner = self.follow(directory, INTEROP_POINTER) if directory else None
            yield from (part for part in (directory, inner) if part)

    def check_values(self, first: Directory) -> None:
        """Raise BrokenDirectory for values that overlap: a copy of them could take terabytes."""
        size = sum(part.measure() for part in (first, *self.iterate_sub_directories(first)))
        if size > _MOST_COPIES * len(self.data):
            raise BrokenDirectory("its values overlap")

    def read_sub_directories(self, first: Directory) -> dict[int, Tree]:
        """Read the EXIF and GPS directories; one that lies outside the file is left out."""
        trees: dict[int, Tree] = {}
        for pointer in (EXIF_POINTER, GPS_POINTER):
            directory = self.follow(first, pointer)
            if directory is None:
                continue
            inner = self.follow(directory, INTEROP_POINTER)
            below: dict[int, Tree] = {}
            if inner:
                below[INTEROP_POINTER] = (self.read_tags(inner), {})
            tags = [tag for tag in self.read_tags(directory) if tag[0] != INTEROP_POINTER]
            if tags:
                trees[pointer] = (tags, below)
        return trees

    def follow(self, directory: Directory, pointer: int) -> Directory | None:
        """Read the directory that a pointer tag names; None if it is missing or broken."""
        at = self.read_number(directory, pointer, 0)
        try:
            return self.read_directory(at) if at else None
        except BrokenDirectory:
            return None
