"""The tags of a TIFF file: what is carried over, and its EXIF as a stream of its own."""

import struct
from typing import Final

from archive_colorizer.errors import DamagedPicture, UnsupportedPicture
from archive_colorizer.media import exif as tiff
from archive_colorizer.media.limits import check_size
from archive_colorizer.media.metadata import Found

DESCRIPTIVE: Final = frozenset((269, 270, 271, 272, 285, 305, 306, 315, 316, 33432))
"""Document and page name, description, make, model, software, date, artist, host, copyright."""

_ICC: Final = 34675
_XMP: Final = 700
_IPTC: Final = 33723
COMPRESSION: Final = 259
OLD_JPEG: Final = 6
_TILE_WIDTH, _TILE_LENGTH = 322, 323
_DNG_VERSION: Final = 50706
_POINTERS: Final = (tiff.EXIF_POINTER, tiff.GPS_POINTER)
_REDUCED: Final = 1

Tag = tuple[int, int, int, bytes]
"""Tag number, type, number of values, and the values in the stream's byte order."""


def open_tiff(data: bytes, name: str, max_pixels: int) -> tuple[tiff.TiffStream, tiff.Directory]:
    """The first directory, with its size held to the limit.

    Raises PictureTooLarge, DamagedPicture, and UnsupportedPicture for camera raw files and
    samples that are neither 1 to 8 nor 16 bit whole numbers.
    """
    try:
        stream = tiff.TiffStream.open(data)
        first = stream.directory(stream.first)
    except tiff.BrokenDirectory as error:
        raise DamagedPicture(f"{name}: cut or corrupt ({error})") from None
    width, height = stream.number(first, 256, 0), stream.number(first, 257, 0)
    check_size(name, width, height, max_pixels)
    if _TILE_WIDTH in first.entries:
        tile = stream.number(first, _TILE_WIDTH, 0), stream.number(first, _TILE_LENGTH, 0)
        check_size(f"{name}, one tile", *tile, max_pixels)
    if _DNG_VERSION in first.entries:
        raise UnsupportedPicture(f"{name}: a camera raw file; develop it to TIFF first")
    if stream.number(first, 254, 0) & _REDUCED:
        raise UnsupportedPicture(f"{name}: its first picture is only a reduced copy")
    _check_samples(stream, first, name)
    return stream, first


def has_alpha(stream: tiff.TiffStream, first: tiff.Directory) -> bool:
    """Whether the first extra channel is said to be alpha, multiplied in (1) or not (2)."""
    return stream.number(first, 338, 0) in (1, 2)


def found_in(stream: tiff.TiffStream, first: tiff.Directory) -> Found:
    """The metadata of a TIFF file; its EXIF as a stream that holds nothing of the pixels."""
    warnings: tuple[str, ...] = ()
    if first.next:
        warnings = ("only the first page of the file was restored",)

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
    texts = [tag for tag in tags_of(stream, first) if tag[0] in DESCRIPTIVE]
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


Tree = tuple[list[Tag], dict[int, list[Tag]]]
"""The tags of a directory, and those of the directories that hang on it, by pointer."""


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


def pack_tree(tree: Tree, at: int, order: str) -> bytes:
    """A directory and those that hang on it, laid out from offset `at`."""
    tags, below = tree
    size = directory_size([*tags, *((tag, 4, 1, b"\0" * 4) for tag in below)])
    body, pointers = b"", []
    for tag, inner in below.items():
        pointers.append((tag, 4, 1, struct.pack(order + "I", at + size + len(body))))
        body += pack_directory(inner, at + size + len(body), order)
    return pack_directory([*tags, *pointers], at, order) + body


def directory_size(tags: list[Tag]) -> int:
    """Bytes that `pack_directory` takes."""
    return 6 + 12 * len(tags) + sum(_padded(len(raw)) for *_, raw in tags if len(raw) > 4)


def pack_directory(tags: list[Tag], at: int, order: str) -> bytes:
    """A classic directory with its values after it, in ascending order of tags."""
    values = at + 6 + 12 * len(tags)
    head, tail = struct.pack(order + "H", len(tags)), b""
    for tag, kind, count, raw in sorted(tags):
        place = raw.ljust(4, b"\0")
        if len(raw) > 4:
            place = struct.pack(order + "I", values + len(tail))
            tail += raw.ljust(_padded(len(raw)), b"\0")
        head += struct.pack(order + "HHI", tag, kind, count) + place
    return head + b"\0" * 4 + tail


def _padded(size: int) -> int:
    return size + size % 2


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
    if not kinds <= {1.0, 4.0} or not all(0 <= depth <= 16 for depth in depths):
        raise UnsupportedPicture(
            f"{name}: floating-point, signed or deeper samples than 16 bit are not restored; "
            "convert it to 16 bit"
        )
