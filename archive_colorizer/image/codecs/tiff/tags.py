"""Read and pack the tags of a TIFF file, and extract those to carry over as an EXIF stream."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from archive_colorizer.errors import DamagedPicture, UnsupportedPicture
from archive_colorizer.image.budget import Budget
from archive_colorizer.image.metadata import exif as tiff
from archive_colorizer.image.metadata.model import SourceMetadata
from archive_colorizer.image.raster import DecodeOptions
from archive_colorizer.storage.file_view import FileContent

DESCRIPTIVE: Final = frozenset((269, 270, 271, 272, 285, 305, 306, 315, 316, 33432))
"""Document and page name, description, make, model, software, date, artist, host, copyright."""

CARRIED: Final = DESCRIPTIVE | {
    *(286, 287, 297, 18246, 18249, 32781, 33550, 33922, 34264, 34735, 34736, 34737),
    *(40091, 40092, 40093, 40094, 40095, 42112, 42113),
}
"""Also position on the page, page number, rating, image id, location (GeoTIFF, GDAL), and
Windows' title, comment, author, keywords and subject: nothing about the pixels' layout."""

XMP, IPTC, _ICC = 700, 33723, 34675
_METADATA: Final = frozenset((XMP, IPTC, _ICC, 34377, 37724, 42112, 50341))
_METADATA_HELD: Final = frozenset(
    (XMP, IPTC, _ICC, 274, 282, 283, 296, tiff.EXIF_POINTER, tiff.GPS_POINTER)
)
_LAYOUT: Final = frozenset(
    (*range(254, 269), *range(273, 282), 284, 288, 289, 290, 291, 292, 293)
) | {
    *(301, *range(317, 328), 330, *range(332, 348), 347, *range(512, 522), 529, 530, 531, 532),
    *(32995, 32996, 32997, 32998, 37439, 34016),
}
"""Tags of the encoding, of the source's color space, and of thumbnails."""

_LARGEST_BLOB: Final = 20_000_000
_SUBFILE_TYPE, _WIDTH, _HEIGHT, _BITS, _FORMAT = 254, 256, 257, 258, 339
TILE_WIDTH, TILE_LENGTH = 322, 323
_LARGEST_TILE: Final = 1 << 26
_LONGEST_CHAIN: Final = 100_000
_ENTRY_BYTES: Final = 12
_MOST_SAMPLES: Final = 1 << 16
_REDUCED, _MASK = 1, 4


@dataclass(frozen=True, slots=True)
class TiffPage:
    """One picture of a TIFF file: its directory, its index among them, and the picture count."""

    stream: tiff.TiffStream
    directory: tiff.Directory
    at: int
    count: int

    def read_number(self, tag: int, default: int = 0) -> int:
        """Read the first value of a tag."""
        return self.stream.read_number(self.directory, tag, default)

    def read_numbers(self, tag: int, most: int | None = None) -> tuple[float, ...]:
        """Read the values of a tag, by default all; () if it is missing."""
        return self.stream.read_numbers(self.directory.entries.get(tag), most)

    @classmethod
    def open(cls, data: FileContent, request: DecodeOptions) -> "TiffPage":
        """Find the requested page and check its size.

        Raises PictureTooLarge, DamagedPicture, and UnsupportedPicture for a missing page and for
        samples that are neither integers of 1 to 16 bit nor floating point.
        """
        name = request.name
        try:
            stream = tiff.TiffStream.open(data)
            stream.read_directory(stream.first)
        except tiff.BrokenDirectory as error:
            raise DamagedPicture(f"{name}: cut or corrupt ({error})") from None
        pictures = list(_iterate_pictures(stream, request))
        if not pictures:
            raise UnsupportedPicture(f"{name}: it holds only a reduced copy of its picture")
        number, count = request.page or 0, len(pictures)
        if not 0 <= number < count:
            raise UnsupportedPicture(f"{name} has no page {number + 1}; its last is {count}")
        at, directory = pictures[number]
        page = cls(stream, directory, at, count)
        _check_page(page, request)
        return page

    def read_metadata(self, request: DecodeOptions) -> SourceMetadata:
        """Read the metadata of a page; the EXIF stream says nothing about the pixels."""
        stream, first = self.stream, self.directory
        request.check_metadata(self._measure_metadata())
        warnings: tuple[str, ...] = ()
        if self.count > 1 and request.page is None:
            warnings = (f"only the first page of {self.count} was restored",)
        dropped = sorted(set(first.entries) - CARRIED - _METADATA_HELD - _LAYOUT)
        if dropped:
            numbers = ", ".join(map(str, dropped[:8])) + (" and more" if len(dropped) > 8 else "")
            warnings = (*warnings, f"not carried over: TIFF tags {numbers}")

        entries = (first.entries.get(tag) for tag in (_ICC, XMP, IPTC))
        icc, xmp, iptc = (stream.read_bytes(entry) if entry else None for entry in entries)
        return SourceMetadata(
            _extract_exif(stream, first),
            icc,
            xmp,
            iptc,
            stream.read_resolution(first),
            orientation=stream.read_orientation(first),
            warnings=warnings,
        )

    def shrink_oversized_metadata(self) -> FileContent:
        """Shorten metadata that is too large for libtiff to one byte; it would refuse the file."""
        entries = self.directory.entries
        oversized = [entries[tag] for tag in entries if self._is_oversized(tag)]
        if not oversized:
            return self.stream.data
        patched = bytearray(self.stream.data[:])
        layout = self.stream.order + ("HQ" if self.stream.big else "HI")
        for entry in oversized:
            struct.pack_into(layout, patched, entry.entry_offset + 2, 1, 1)
        return bytes(patched)

    def _is_oversized(self, tag: int) -> bool:
        return tag not in _LAYOUT and self.directory.entries[tag].size > _LARGEST_BLOB

    def _measure_metadata(self) -> int:
        """Measure the values that we or libtiff will copy; they may overlap in the file."""
        entries = self.directory.entries
        copied = [tag for tag in entries if tag in CARRIED or not self._is_oversized(tag)]
        below = self.stream.iterate_sub_directories(self.directory)
        return sum(entries[tag].size for tag in copied) + sum(part.measure() for part in below)


def _iterate_pictures(
    stream: tiff.TiffStream, request: DecodeOptions
) -> Iterator[tuple[int, tiff.Directory]]:
    """Yield index and directory of each picture, until the chain is broken or loops.

    Raises PictureTooCostly, since directories may overlap.
    """
    visited: set[int] = set()
    at, entries = stream.first, 0
    while at and at not in visited and len(visited) < _LONGEST_CHAIN:
        index = len(visited)
        visited.add(at)
        try:
            directory = stream.read_directory(at)
        except tiff.BrokenDirectory:
            return
        entries += (directory.next_at - at) // _ENTRY_BYTES
        request.check_parts(entries)
        if not stream.read_number(directory, _SUBFILE_TYPE, 0) & (_REDUCED | _MASK):
            yield index, directory
        at = directory.next


def _check_page(page: TiffPage, request: DecodeOptions) -> None:
    request.check_size(page.read_number(_WIDTH), page.read_number(_HEIGHT))
    if TILE_WIDTH in page.directory.entries:
        tile = page.read_number(TILE_WIDTH), page.read_number(TILE_LENGTH)
        # A tile may stick out of a picture that is smaller.
        limit = max(request.max_pixels, _LARGEST_TILE)
        Budget(f"{request.name}, one tile", limit).check_size(*tile)
    depths = set(page.read_numbers(_BITS, _MOST_SAMPLES)) or {1.0}
    kinds = set(page.read_numbers(_FORMAT, _MOST_SAMPLES)) or {1.0}
    deepest = 64 if kinds == {3.0} else 16
    if not kinds <= {1.0, 3.0, 4.0} or not all(0 <= depth <= deepest for depth in depths):
        raise UnsupportedPicture(
            f"{request.name}: signed samples or whole numbers deeper than 16 bit are not restored; "
            "convert it to 16 bit"
        )


def _extract_exif(stream: tiff.TiffStream, first: tiff.Directory) -> bytes | None:
    """Pack descriptive tags and the EXIF, GPS and interoperability directories as one stream."""
    texts = stream.read_tags(first, CARRIED)
    below = stream.read_sub_directories(first)
    if not texts and not below:
        return None
    magic = b"II*\0" if stream.order == "<" else b"MM\0*"
    head = magic + struct.pack(stream.order + "I", 8)
    return head + pack_tree((texts, below), 8, stream.order)


def pack_tree(tree: tiff.Tree, at: int, order: str) -> bytes:
    """Pack a directory and its subdirectories for offset `at`."""
    tags, below = tree
    end = at + len(pack_directory([*tags, *((tag, 4, 1, b"\0" * 4) for tag in below)], at, order))
    body, pointers = b"", []
    for tag, inner in below.items():
        pointers.append((tag, 4, 1, struct.pack(order + "I", end + len(body))))
        body += pack_tree(inner, end + len(body), order)
    return pack_directory([*tags, *pointers], at, order) + body


def pack_directory(tags: list[tiff.Tag], at: int, order: str) -> bytes:
    """Pack a classic directory in ascending order of tags, followed by its values."""
    values = at + 6 + 12 * len(tags)
    head, tail = bytearray(struct.pack(order + "H", len(tags))), bytearray()
    for tag, kind, count, raw in sorted(tags):
        value = raw.ljust(4, b"\0")
        if len(raw) > 4:
            value = struct.pack(order + "I", values + len(tail))
            tail += raw + b"\0" * (len(raw) % 2)
        head += struct.pack(order + "HHI", tag, kind, count) + value
    return bytes(head + b"\0" * 4 + tail)
