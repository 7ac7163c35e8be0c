"""Identify a file by its first bytes."""

from functools import cache
from importlib.util import find_spec
from typing import Final

from archive_colorizer.image.raster import Format

MAGIC_LENGTH: Final = 16
"""The number of bytes that the functions of this module need."""

_SIGNATURES: Final[tuple[tuple[Format, tuple[bytes, ...]], ...]] = (
    ("jpeg", (b"\xff\xd8\xff",)),
    ("png", (b"\x89PNG\r\n\x1a\n",)),
    ("tiff", (b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b"MM\0+\0\x08\0\0")),
    ("bmp", (b"BM",)),
    ("jp2", (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")),
)
_BRANDS: Final[tuple[tuple[Format, tuple[bytes, ...]], ...]] = (
    ("avif", (b"ftypavif", b"ftypavis")),
    ("heif", (b"ftyphei", b"ftyphev", b"ftypmif1", b"ftypmsf1")),
)
"""Brands of ISO media files, which follow four bytes of length."""

_DIB_HEADERS: Final = frozenset((12, 16, 40, 52, 56, 64, 66, 108, 124))
_FOREIGN_SIGNATURES: Final[tuple[tuple[str, int, tuple[bytes, ...]], ...]] = (
    ("GIF", 0, (b"GIF87a", b"GIF89a")),
    ("Photoshop", 0, (b"8BPS",)),
    ("JPEG XL", 0, (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")),
    ("Canon raw", 4, (b"ftypcrx ",)),
    ("Panasonic raw", 0, (b"IIU\0",)),
    ("Olympus raw", 0, (b"IIRO", b"IIRS", b"MMOR")),
    ("Fujifilm raw", 0, (b"FUJIFILMCCD-RAW",)),
)


def sniff(data: bytes) -> Format | None:
    """Identify the supported format that `data` begins with, or return None.

    A BMP also needs a valid header size, since many texts begin with its two letters.
    """
    for name, beginnings in _SIGNATURES:
        if data.startswith(beginnings):
            is_text = name == "bmp" and int.from_bytes(data[14:16], "little") not in _DIB_HEADERS
            return None if is_text else name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return next((name for name, brands in _BRANDS if data[4:].startswith(brands)), None)


def identify_foreign_format(data: bytes) -> str | None:
    """Name a picture format that is known but not supported ("Canon raw"), or return None."""
    for name, at, beginnings in _FOREIGN_SIGNATURES:
        if data[at:].startswith(beginnings):
            return name
    return None


def is_foreign_raw(data: bytes) -> bool:
    """Whether `data` begins a camera's raw file that does not look like a TIFF."""
    return (identify_foreign_format(data) or "").endswith(" raw")


@cache
def can_read_raw() -> bool:
    """Whether rawpy, which develops camera raw, is installed."""
    return find_spec("rawpy") is not None
