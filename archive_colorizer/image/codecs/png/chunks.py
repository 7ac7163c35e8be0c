"""The chunks of a PNG file, read and written without decoding."""

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final

from archive_colorizer.image.codecs.jpeg.segments import photoshop_resource
from archive_colorizer.image.raster import Metadata
from archive_colorizer.storage.file_view import Stored

XMP: Final = "XML:com.adobe.xmp"
IPTC: Final = "Raw profile type iptc"
EXIF: Final = frozenset(("Raw profile type exif", "Raw profile type APP1"))
_SIGNATURE: Final = 8
_HEADER_END: Final = 33
_LARGEST_PROFILE: Final = 20_000_000
_LONGEST_TEXT: Final = 1_000_000
_LONGEST_KEYWORD: Final = 79
_INCH: Final = 0.0254


def chunks(data: Stored) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of each chunk that is whole; that of pixels (IDAT) is left out."""
    at = _SIGNATURE
    while at + 12 <= len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        if at + 12 + size > len(data):
            return
        yield kind, b"" if kind == b"IDAT" else data[at + 8 : at + 8 + size]
        at += 12 + size


def density_of(body: bytes) -> tuple[float, float] | None:
    """Dots per inch from a pHYs chunk, or None where it gives only a ratio."""
    if len(body) != 9:
        return None
    across, down, unit = struct.unpack(">IIB", body)
    return (across * _INCH, down * _INCH) if unit == 1 and across and down else None


def is_usual_gamma(body: bytes) -> bool:
    """Whether a gAMA chunk states what viewers take for granted: 1 / 2.2, within a tenth."""
    return abs(int.from_bytes(body[:4], "big") / 100_000 * 2.2 - 1) < 0.1


def profile_of(body: bytes) -> bytes:
    """The profile in an iCCP chunk, as far as it can be inflated; empty when it cannot.

    Decoders drop a faulty one in silence.
    """
    _, _, packed = body.partition(b"\0")
    try:
        return zlib.decompressobj().decompress(packed[1:], _LARGEST_PROFILE)
    except zlib.error:
        return b""


def text_of(kind: bytes, body: bytes) -> tuple[str, str] | None:
    """Keyword and text of a tEXt, zTXt or iTXt chunk, or None when it is damaged or too long."""
    keyword, _, rest = body.partition(b"\0")
    try:
        if kind == b"tEXt":
            return keyword.decode("latin-1"), rest.decode("latin-1")
        if kind == b"zTXt":
            return keyword.decode("latin-1"), _inflated(rest[1:]).decode("latin-1")
        packed, text = rest[:1] == b"\1", rest[2:].split(b"\0", 2)[2]
        return keyword.decode("latin-1"), (_inflated(text) if packed else text).decode("utf-8")
    except (zlib.error, ValueError, IndexError):
        return None


def raw_profile_of(text: str) -> bytes | None:
    """What ImageMagick hides in a text chunk: a name, a length, and bytes in hexadecimal."""
    lines = text.strip().splitlines()
    try:
        return bytes.fromhex("".join(lines[2:]))[: int(lines[1])] or None
    except (ValueError, IndexError):
        return None


def _inflated(packed: bytes) -> bytes:
    stream = zlib.decompressobj()
    content = stream.decompress(packed, _LONGEST_TEXT)
    if not stream.eof:
        raise ValueError("cut or too long")
    return content


class Insertion:
    """Takes a PNG in pieces and writes it with metadata of ours before its pixels.

    iCCP, pHYs, eXIf, XMP, IPTC and texts stand there instead of what the encoder wrote: that of
    libvips states a resolution of 25.4 dpi where none is known.
    """

    def __init__(self, target: BinaryIO, metadata: Metadata) -> None:
        self._target = target
        self._metadata = metadata
        self._before = b""
        self._is_past = False

    def write(self, piece: bytes) -> int:
        """Bytes that were taken: all."""
        if self._is_past:
            self._target.write(piece)
            return len(piece)
        self._before += bytes(piece)
        at = _pixels_at(self._before)
        if at is not None:
            head = self._before[:_HEADER_END] + _chunks_of(self._metadata)
            self._target.write(head + self._before[at:])
            self._is_past = True
        return len(piece)


def _chunks_of(metadata: Metadata) -> bytes:
    parts = []
    if metadata.icc:
        parts.append(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc, 9)))
    if metadata.dpi:
        across, down = (round(side / _INCH) for side in metadata.dpi)
        parts.append(_chunk(b"pHYs", struct.pack(">IIB", across, down, 1)))
    if metadata.exif:
        parts.append(_chunk(b"eXIf", metadata.exif))
    if metadata.xmp:
        parts.append(_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp))
    if metadata.iptc:
        parts.append(_chunk(b"zTXt", IPTC.encode() + b"\0\0" + _packed_iptc(metadata.iptc)))
    parts.extend(_text_chunk(*comment) for comment in metadata.comments)
    return b"".join(parts)


def _packed_iptc(records: bytes) -> bytes:
    content = photoshop_resource(records)
    digits = content.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    return zlib.compress(f"\niptc\n{len(content):8d}\n{lines}\n".encode(), 9)


def _text_chunk(keyword: str, text: str) -> bytes:
    key = (keyword or "Comment").encode("latin-1", "replace")[:_LONGEST_KEYWORD]
    text = text.replace("\0", "")
    try:
        return _chunk(b"tEXt", key + b"\0" + text.encode("latin-1"))
    except UnicodeEncodeError:
        said = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return _chunk(b"iTXt", key + b"\0\0\0\0\0" + said.encode())


def _pixels_at(png: bytes) -> int | None:
    """Where the first chunk of pixels begins, if that has come already."""
    at = _HEADER_END
    while at + 8 <= len(png):
        if png[at + 4 : at + 8] == b"IDAT":
            return at
        at += 12 + int.from_bytes(png[at : at + 4], "big")
    return None


def _chunk(kind: bytes, body: bytes) -> bytes:
    check = zlib.crc32(body, zlib.crc32(kind))
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)
