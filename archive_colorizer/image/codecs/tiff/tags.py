"""The tags of a TIFF file: what is carried over, and its EXIF as a stream of its own."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from archive_colorizer.errors import DamagedPicture, UnsupportedPicture
from archive_colorizer.image.codecs.tiff.packing import (
    Tag,
    Tree,
    directory_size,
    pack_directory,
    pack_tree,
)
from archive_colorizer.image.metadata import exif as tiff
from archive_colorizer.image.metadata.model import Found
from archive_colorizer.image.raster import Request, check_size
from archive_colorizer.storage.file_view import Stored

DESCRIPTIVE: Final = frozenset((269, 270, 271, 272, 285, 305, 306, 315, 316, 33432))
"""Document and page name, description, make, model, software, date, artist, host, copyright."""

CARRIED: Final = DESCRIPTIVE | {
    *(286, 287, 297, 18246, 18249, 32781, 33550, 33922, 34264, 34735, 34736, 34737),
    *(40091, 40092, 40093, 40094, 40095, 42112, 42113),
}
"""With them place on the page, page number, rating, image id, where on earth (GeoTIFF, GDAL), and
Windows' title, comment, author, keywords and subject: nothing that tells of the pixels' layout."""

_ICC: Final = 34675
_POINTERS: Final = (tiff.EXIF_POINTER, tiff.GPS_POINTER)
_XMP: Final = 700
_IPTC: Final = 33723
_METADATA: Final = frozenset((_XMP, _IPTC, _ICC, 34377, 37724, 42112, 50341))
_METADATA_HELD: Final = frozenset((_XMP, _IPTC, _ICC, 274, 282, 283, 296, *_POINTERS))
_LAYOUT: Final = frozenset(
    (*range(254, 269), *range(273, 282), 284, 288, 289, 290, 291, 292, 293)
) | {
    *(301, *range(317, 328), 330, *range(332, 348), 347, *range(512, 522), 529, 530, 531, 532),
    *(32995, 32996, 32997, 32998, 37439, 34016),
}
"""Tags of the coding, of the old color space, and of thumbnails."""

_LARGEST_BLOB: Final = 20_000_000
COMPRESSION: Final = 259
OLD_JPEG: Final = 6
_TILE_WIDTH, _TILE_LENGTH = 322, 323
_LARGEST_TILE: Final = 1 << 26
_LONGEST_CHAIN: Final = 100_000
_REDUCED, _MASK = 1, 4


@dataclass(frozen=True, slots=True)
class Page:
    """One picture of a TIFF file: its directory, its place in the chain, and how many there are."""

    stream: tiff.TiffStream
    directory: tiff.Directory
    at: int
    count: int


def open_tiff(data: Stored, request: Request) -> Page:
    """The directory of the page asked for, with its size held to the limit.

    Raises PictureTooLarge, DamagedPicture, and UnsupportedPicture for a page that is not
    there and for samples that are neither whole numbers of 1 to 16 bit nor floating point.
    """
    name = request.name
    try:
        stream = tiff.TiffStream.open(data)
        stream.directory(stream.first)
    except tiff.BrokenDirectory as error:
        raise DamagedPicture(f"{name}: cut or corrupt ({error})") from None
    pictures = [(at, one) for at, one in enumerate(chain(stream)) if not _is_extra(stream, one)]
    if not pictures:
        raise UnsupportedPicture(f"{name}: it holds only a reduced copy of its picture")
    wanted = request.page or 0
    if not 0 <= wanted < len(pictures):
        raise UnsupportedPicture(f"{name} has no page {wanted + 1}; its last is {len(pictures)}")
    at, directory = pictures[wanted]
    _check_page(stream, directory, request)
    return Page(stream, directory, at, len(pictures))


def count_pages(data: Stored) -> int:
    """How many pictures a TIFF file holds; reduced copies and masks do not count."""
    try:
        stream = tiff.TiffStream.open(data)
    except tiff.BrokenDirectory:
        return 1
    return max(1, sum(not _is_extra(stream, one) for one in chain(stream)))


def chain(stream: tiff.TiffStream) -> Iterator[tiff.Directory]:
    """The directories in their order; ends where the chain is broken or bites its tail."""
    seen: set[int] = set()
    at = stream.first
    while at and at not in seen and len(seen) < _LONGEST_CHAIN:
        seen.add(at)
        try:
            directory = stream.directory(at)
        except tiff.BrokenDirectory:
            return
        yield directory
        at = directory.next


def _is_extra(stream: tiff.TiffStream, directory: tiff.Directory) -> bool:
    return bool(stream.number(directory, 254, 0) & (_REDUCED | _MASK))


def _check_page(stream: tiff.TiffStream, page: tiff.Directory, request: Request) -> None:
    width, height = stream.number(page, 256, 0), stream.number(page, 257, 0)
    check_size(request.name, width, height, request.max_pixels)
    if _TILE_WIDTH in page.entries:
        tile = stream.number(page, _TILE_WIDTH, 0), stream.number(page, _TILE_LENGTH, 0)
        # A tile may stick out of a picture that is smaller.
        limit = max(request.max_pixels, _LARGEST_TILE)
        check_size(f"{request.name}, one tile", *tile, limit)
    _check_samples(stream, page, request.name)


def without_giants(page: Page) -> Stored:
    """The file, with metadata too large for libtiff made one byte long: it would refuse all."""
    giants = [
        entry
        for tag, entry in page.directory.entries.items()
        if tag in _METADATA and entry.size > _LARGEST_BLOB
    ]
    if not giants:
        return page.stream.data
    patched = bytearray(page.stream.data[:])
    layout = page.stream.order + ("HQ" if page.stream.big else "HI")
    for entry in giants:
        struct.pack_into(layout, patched, entry.place + 2, 1, 1)
    return bytes(patched)


def has_alpha(stream: tiff.TiffStream, first: tiff.Directory) -> bool:
    """Whether the first extra channel is said to be alpha, multiplied in (1) or not (2)."""
    return stream.number(first, 338, 0) in (1, 2)


def found_in(page: Page, request: Request) -> Found:
    """The metadata of a page; its EXIF as a stream that holds nothing of the pixels."""
    stream, first = page.stream, page.directory
    warnings: tuple[str, ...] = ()
    if page.count > 1 and request.page is None:
        warnings = (f"only the first page of {page.count} was restored",)
    lost = sorted(set(first.entries) - CARRIED - _METADATA_HELD - _LAYOUT)
    if lost:
        numbers = ", ".join(map(str, lost[:8])) + (" and more" if len(lost) > 8 else "")
        warnings = (*warnings, f"not carried over: TIFF tags {numbers}")

    def blob(tag: int) -> bytes | None:
        entry = first.entries.get(tag)
        return stream.raw(entry) if entry else None

    return Found(
        exif=exif_of(stream, first),
        icc=blob(_ICC),
        xmp=blob(_XMP),
        iptc=blob(_IPTC),
        dpi=tiff.resolution_of(stream, first),
        orientation=tiff.orientation_of(stream, first),
        warnings=warnings,
    )


def exif_of(stream: tiff.TiffStream, first: tiff.Directory) -> bytes | None:
    """Descriptive tags and the EXIF, GPS and interoperability directories as one stream."""
    texts = [tag for tag in tags_of(stream, first) if tag[0] in CARRIED]
    below = sub_directories(stream, first)
    if not texts and not below:
        return None
    magic = b"II*\0" if stream.order == "<" else b"MM\0*"
    head = magic + struct.pack(stream.order + "I", 8)
    size = directory_size([*texts, *((tag, 4, 1, b"\0" * 4) for tag in below)])
    body, pointers = b"", []
    for tag, content in below.items():
        at = 8 + size + len(body)
        pointers.append((tag, 4, 1, struct.pack(stream.order + "I", at)))
        body += pack_tree(content, at, stream.order)
    return head + pack_directory([*texts, *pointers], 8, stream.order) + body


def sub_directories(stream: tiff.TiffStream, first: tiff.Directory) -> dict[int, Tree]:
    """The EXIF and GPS directories; one that lies outside of the file is left out."""
    found: dict[int, Tree] = {}
    for pointer in _POINTERS:
        directory = _follow(stream, first, pointer)
        if directory is None:
            continue
        inner = _follow(stream, directory, tiff.INTEROP_POINTER)
        below = {tiff.INTEROP_POINTER: tags_of(stream, inner)} if inner else {}
        tags = [tag for tag in tags_of(stream, directory) if tag[0] != tiff.INTEROP_POINTER]
        if tags:
            found[pointer] = (tags, below)
    return found


def tags_of(stream: tiff.TiffStream, directory: tiff.Directory) -> list[Tag]:
    """All tags of classic types in a directory."""
    return [
        (tag, entry.kind, entry.count, stream.raw(entry))
        for tag, entry in directory.entries.items()
        if entry.kind <= 12
    ]


def _follow(
    stream: tiff.TiffStream, directory: tiff.Directory, pointer: int
) -> tiff.Directory | None:
    at = stream.number(directory, pointer, 0)
    try:
        return stream.directory(at) if at else None
    except tiff.BrokenDirectory:
        return None


def _check_samples(stream: tiff.TiffStream, first: tiff.Directory, name: str) -> None:
    depths = set(stream.numbers(first.entries.get(258))) or {1.0}
    kinds = set(stream.numbers(first.entries.get(339))) or {1.0}
    deepest = 64 if kinds == {3.0} else 16
    if not kinds <= {1.0, 3.0, 4.0} or not all(0 <= depth <= deepest for depth in depths):
        raise UnsupportedPicture(
            f"{name}: signed samples or whole numbers deeper than 16 bit are not restored; "
            "convert it to 16 bit"
        )
