"""The chunks of a PNG file, read and written without decoding."""

import struct
import zlib
from collections.abc import Iterator
from typing import Final

from archive_colorizer.media.raster import Metadata

_SIGNATURE: Final = 8
_HEADER_END: Final = 33
_LARGEST_PROFILE: Final = 20_000_000
_INCH: Final = 0.0254


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of each chunk that is whole."""
    at = _SIGNATURE
    while at + 12 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if at + 12 + size > len(data):
            return
        yield kind, data[at + 8 : at + 8 + size]
        at += 12 + size


def density_of(body: bytes) -> tuple[float, float] | None:
    """Dots per inch from a pHYs chunk, or None where it gives only a ratio."""
    if len(body) != 9:
        return None
    across, down, unit = struct.unpack(">IIB", body)
    return (across * _INCH, down * _INCH) if unit == 1 and across and down else None


def profile_of(body: bytes) -> bytes:
    """The profile in an iCCP chunk, as far as it can be inflated; empty when it cannot.

    Decoders drop a faulty one in silence.
    """
    _, _, packed = body.partition(b"\0")
    try:
        return zlib.decompressobj().decompress(packed[1:], _LARGEST_PROFILE)
    except zlib.error:
        return b""


def with_metadata(png: bytes, metadata: Metadata) -> bytes:
    """A PNG file with iCCP, pHYs, eXIf and XMP instead of what its encoder put before the pixels.

    The encoder of libvips states a resolution of 25.4 dpi where none is known.
    """
    parts = [png[:_HEADER_END]]
    if metadata.icc:
        parts.append(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc, 9)))
    if metadata.dpi:
        across, down = (round(side / _INCH) for side in metadata.dpi)
        parts.append(_chunk(b"pHYs", struct.pack(">IIB", across, down, 1)))
    if metadata.exif:
        parts.append(_chunk(b"eXIf", metadata.exif))
    if metadata.xmp:
        parts.append(_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp))
    return b"".join((*parts, png[_pixels_at(png) :]))


def _pixels_at(png: bytes) -> int:
    at = _HEADER_END
    while at + 12 <= len(png) and png[at + 4 : at + 8] != b"IDAT":
        at += 12 + int.from_bytes(png[at : at + 4], "big")
    return at


def _chunk(kind: bytes, body: bytes) -> bytes:
    check = zlib.crc32(body, zlib.crc32(kind))
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)
