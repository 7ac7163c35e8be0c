"""What a file is, from its first bytes."""

from functools import cache
from importlib.util import find_spec
from typing import Final

from archive_colorizer.image.raster import Format

MAGIC_LENGTH: Final = 16
"""So many bytes are enough for `sniff`, `foreign` and `is_appledouble`."""

_PROMISED: Final[tuple[tuple[Format, tuple[bytes, ...]], ...]] = (
    ("jpeg", (b"\xff\xd8\xff",)),
    ("png", (b"\x89PNG\r\n\x1a\n",)),
    ("tiff", (b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b"MM\0+\0\x08\0\0")),
    ("bmp", (b"BM",)),
    ("jp2", (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")),
)
_BOXED: Final[tuple[tuple[Format, tuple[bytes, ...]], ...]] = (
    ("avif", (b"ftypavif", b"ftypavis")),
    ("heif", (b"ftyphei", b"ftyphev", b"ftypmif1", b"ftypmsf1")),
)
"""After four bytes of length."""

_DIB_HEADERS: Final = frozenset((12, 16, 40, 52, 56, 64, 66, 108, 124))
_FOREIGN: Final[tuple[tuple[str, int, tuple[bytes, ...]], ...]] = (
    ("GIF", 0, (b"GIF87a", b"GIF89a")),
    ("Photoshop", 0, (b"8BPS",)),
    ("JPEG XL", 0, (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")),
    ("Canon raw", 4, (b"ftypcrx ",)),
    ("Panasonic raw", 0, (b"IIU\0",)),
    ("Olympus raw", 0, (b"IIRO", b"IIRS", b"MMOR")),
    ("Fujifilm raw", 0, (b"FUJIFILMCCD-RAW",)),
)


def sniff(data: bytes) -> Format | None:
    """The promised format whose magic number `data` begins with, or None.

    16 bytes are enough.  A BMP is believed only with a header size that exists, since two
    letters alone begin many a text.
    """
    for name, beginnings in _PROMISED:
        if data.startswith(beginnings):
            return name if name != "bmp" or _is_bitmap(data) else None
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return next((name for name, brands in _BOXED if data[4:].startswith(brands)), None)


def foreign(data: bytes) -> str | None:
    """The name of a picture format that is known and not promised, or None.

    Camera raw is called so: "Canon raw".
    """
    for name, at, beginnings in _FOREIGN:
        if data[at:].startswith(beginnings):
            return name
    return None


def is_foreign_raw(data: bytes) -> bool:
    """Whether `data` begins a camera's raw file of a kind that does not begin like a TIFF."""
    return (foreign(data) or "").endswith(" raw")


@cache
def raw_is_readable() -> bool:
    """Whether the library that develops camera raw is installed."""
    return find_spec("rawpy") is not None


def is_appledouble(data: bytes) -> bool:
    """Whether `data` begins the shadow file that macOS leaves beside a file."""
    return data.startswith(b"\x00\x05\x16\x07")


def _is_bitmap(data: bytes) -> bool:
    return int.from_bytes(data[14:16], "little") in _DIB_HEADERS
