"""Read the metadata of a PNG from its chunks, and insert them into another one."""

import struct
import zlib
from dataclasses import replace
from typing import BinaryIO, Final

from archive_colorizer.errors import DamagedPicture
from archive_colorizer.image.codecs.jpeg.metadata import find_iptc, pack_iptc_resource
from archive_colorizer.image.codecs.png.chunks import iterate_chunks, iterate_places
from archive_colorizer.image.metadata.model import SourceMetadata
from archive_colorizer.image.raster import DecodeOptions, Metadata
from archive_colorizer.storage.file_view import FileContent

_XMP_KEYWORD: Final = "XML:com.adobe.xmp"
_IPTC_KEYWORD: Final = "Raw profile type iptc"
_EXIF_KEYWORDS: Final = frozenset(("Raw profile type exif", "Raw profile type APP1"))
_HEADER_END: Final = 33
_LARGEST_PROFILE: Final = 20_000_000
_LONGEST_TEXT: Final = 1_000_000
_MOST_INFLATION: Final = 1032
_LONGEST_KEYWORD: Final = 79
_INCH: Final = 0.0254
_TEXTS: Final = frozenset((b"tEXt", b"zTXt", b"iTXt"))
_METADATA_KINDS: Final = frozenset((b"pHYs", b"eXIf", b"iCCP", b"gAMA"))


def read_metadata(
    data: FileContent, metadata: SourceMetadata, request: DecodeOptions
) -> SourceMetadata:
    """Add what the chunks hold to `metadata`.

    Raises DamagedPicture for a file that is cut, and PictureTooCostly for texts and profiles that
    inflate without end.
    """
    names = {kind for kind, _, _ in iterate_places(data)}
    if b"IEND" not in names:
        raise DamagedPicture(f"{request.name}: cut before its end; look for a better copy")
    has_color_space = not names.isdisjoint((b"iCCP", b"sRGB"))
    inflated = 0
    for kind, body in iterate_chunks(data, _METADATA_KINDS):
        if kind == b"pHYs":
            metadata = replace(metadata, dpi=_parse_density(body))
        elif kind == b"eXIf":
            metadata = replace(metadata, exif=body)
        elif kind == b"iCCP":
            metadata = replace(metadata, icc=_decompress_profile(body))
            inflated += len(metadata.icc or b"")
            request.check_metadata(inflated)
        elif not (has_color_space or _is_usual_gamma(body)):
            note = "the PNG states a gamma of its own without a profile: it was taken for sRGB"
            metadata = metadata.add_warning(note)
    metadata = _add_texts(metadata, data, request, inflated)
    if b"acTL" in names:
        metadata = metadata.add_warning("only the still picture of an animation was restored")
    return metadata


def _add_texts(
    metadata: SourceMetadata, data: FileContent, request: DecodeOptions, inflated: int
) -> SourceMetadata:
    """Add the text chunks, and the metadata that they contain.

    inflated: bytes that other chunks have already taken.
    """
    comments: list[tuple[str, str]] = []
    has_dropped = False
    for kind, body in iterate_chunks(data, _TEXTS):
        text = _parse_text(kind, body)
        inflated += len(text[1]) if text else min(_LONGEST_TEXT, _MOST_INFLATION * len(body))
        request.check_metadata(inflated)
        has_dropped = has_dropped or text is None
        carrier = _add_carrier(metadata, *text) if text else None
        if carrier:
            metadata = carrier
        elif text:
            comments.append(text)
    if has_dropped:
        metadata = metadata.add_warning("a text in the PNG is damaged or too long and was dropped")
    return replace(metadata, comments=tuple(comments))


def _add_carrier(metadata: SourceMetadata, keyword: str, content: str) -> SourceMetadata | None:
    """Add the metadata that a text contains; None if it is a plain text."""
    if keyword == _XMP_KEYWORD:
        return replace(metadata, xmp=metadata.xmp or content.encode())
    if keyword == _IPTC_KEYWORD:
        raw = _parse_raw_profile(content) or b""
        return replace(metadata, iptc=find_iptc(raw) or raw or None)
    if keyword in _EXIF_KEYWORDS:
        return replace(metadata, exif=metadata.exif or _parse_raw_profile(content))
    return None


def _parse_density(body: bytes) -> tuple[float, float] | None:
    """Parse dots per inch from a pHYs chunk; None if it only gives a ratio."""
    if len(body) != 9:
        return None
    across, down, unit = struct.unpack(">IIB", body)
    return (across * _INCH, down * _INCH) if unit == 1 and across and down else None


def _is_usual_gamma(body: bytes) -> bool:
    """Check whether a gAMA chunk states what viewers assume: 1 / 2.2, within a tenth."""
    return abs(int.from_bytes(body[:4], "big") / 100_000 * 2.2 - 1) < 0.1


def _decompress_profile(body: bytes) -> bytes:
    """Decompress the profile of an iCCP chunk as far as possible; empty if it is damaged.

    Decoders drop a damaged profile without a warning.
    """
    _, _, packed = body.partition(b"\0")
    try:
        return zlib.decompressobj().decompress(packed[1:], _LARGEST_PROFILE)
    except zlib.error:
        return b""


def _parse_text(kind: bytes, body: bytes) -> tuple[str, str] | None:
    """Parse keyword and text of a tEXt, zTXt or iTXt chunk; None if damaged or too long."""
    keyword, _, rest = body.partition(b"\0")
    try:
        if kind == b"tEXt":
            return keyword.decode("latin-1"), rest.decode("latin-1")
        if kind == b"zTXt":
            return keyword.decode("latin-1"), _decompress_text(rest[1:]).decode("latin-1")
        is_compressed, text = rest[:1] == b"\1", rest[2:].split(b"\0", 2)[2]
        text = _decompress_text(text) if is_compressed else text
        return keyword.decode("latin-1"), text.decode("utf-8")
    except (zlib.error, ValueError, IndexError):
        return None


def _parse_raw_profile(text: str) -> bytes | None:
    """Parse ImageMagick's raw profile in a text: a name, a length, and hexadecimal bytes."""
    lines = text.strip().split("\n", 2)
    try:
        return bytes.fromhex(lines[2])[: int(lines[1])] or None
    except (ValueError, IndexError):
        return None


def _decompress_text(packed: bytes) -> bytes:
    stream = zlib.decompressobj()
    content = stream.decompress(packed, _LONGEST_TEXT)
    if not stream.eof:
        raise ValueError("cut or too long")
    return content


class MetadataInserter:
    """Writes a PNG that comes in pieces, with our metadata before its pixels.

    Replaces all metadata of the encoder: libvips states a resolution of 25.4 dpi if none is known.
    """

    def __init__(self, target: BinaryIO, metadata: Metadata) -> None:
        self._target = target
        self._metadata = metadata
        self._before = b""
        self._is_past = False

    def write(self, piece: bytes) -> int:
        """Write a piece, or buffer it until the pixels begin; return its length."""
        if self._is_past:
            self._target.write(piece)
            return len(piece)
        self._before += bytes(piece)
        at = _find_pixels(self._before)
        if at is not None:
            head = self._before[:_HEADER_END] + _build_chunks(self._metadata)
            self._target.write(head + self._before[at:])
            self._is_past = True
        return len(piece)


def _build_chunks(metadata: Metadata) -> bytes:
    parts = []
    if metadata.icc:
        parts.append(_pack_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc, 9)))
    if metadata.dpi:
        across, down = (round(side / _INCH) for side in metadata.dpi)
        parts.append(_pack_chunk(b"pHYs", struct.pack(">IIB", across, down, 1)))
    if metadata.exif:
        parts.append(_pack_chunk(b"eXIf", metadata.exif))
    if metadata.xmp:
        parts.append(_pack_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp))
    if metadata.iptc:
        parts.append(
            _pack_chunk(b"zTXt", _IPTC_KEYWORD.encode() + b"\0\0" + _compress_iptc(metadata.iptc))
        )
    parts.extend(_build_text_chunk(*comment) for comment in metadata.comments)
    return b"".join(parts)


def _compress_iptc(records: bytes) -> bytes:
    content = pack_iptc_resource(records)
    digits = content.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    return zlib.compress(f"\niptc\n{len(content):8d}\n{lines}\n".encode(), 9)


def _build_text_chunk(keyword: str, text: str) -> bytes:
    key = (keyword or "Comment").encode("latin-1", "replace")[:_LONGEST_KEYWORD]
    text = text.replace("\0", "")
    try:
        return _pack_chunk(b"tEXt", key + b"\0" + text.encode("latin-1"))
    except UnicodeEncodeError:
        replaced = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return _pack_chunk(b"iTXt", key + b"\0\0\0\0\0" + replaced.encode())


def _find_pixels(png: bytes) -> int | None:
    """Return the offset of the first IDAT chunk, or None if it has not been read yet."""
    at = _HEADER_END
    while at + 8 <= len(png):
        if png[at + 4 : at + 8] == b"IDAT":
            return at
        at += 12 + int.from_bytes(png[at : at + 4], "big")
    return None


def _pack_chunk(kind: bytes, body: bytes) -> bytes:
    check = zlib.crc32(body, zlib.crc32(kind))
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)
