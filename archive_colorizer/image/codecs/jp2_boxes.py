"""The boxes of a JP2 file, read and written without decoding the codestream."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from archive_colorizer.errors import DamagedPicture
from archive_colorizer.image.raster import Metadata

SIGNATURE: Final = b"\0\0\0\x0cjP  \r\n\x87\n"
CODESTREAM: Final = b"\xff\x4f\xff\x51"
UUID_XMP: Final = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
UUID_EXIF: Final = b"JpgTiffExif->JP2"
UUID_IPTC: Final = bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38")
ENUMERATED, RESTRICTED_ICC = 1, 2
_METER: Final = 0.0254


@dataclass(frozen=True, slots=True)
class Codestream:
    """The image size marker: sides in pixels and the samples' depths in bits."""

    width: int
    height: int
    depths: tuple[int, ...]
    signed: bool


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of each box; stops quietly where the data ends."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1 and at + 16 <= len(data):
            size, head = struct.unpack_from(">Q", data, at + 8)[0], 16
        end = len(data) if size == 0 else at + size
        if end < at + head:
            return
        yield kind, data[at + head : end]
        at = end


def codestream_of(data: bytes, name: str) -> Codestream:
    """The size marker of the first codestream.  Raises DamagedPicture when there is none."""
    stream = data
    if data.startswith(SIGNATURE):
        stream = next((body for kind, body in boxes(data) if kind == b"jp2c"), b"")
    if not stream.startswith(CODESTREAM) or len(stream) < 42:
        raise DamagedPicture(f"{name}: no JPEG 2000 codestream in it; it is cut or corrupt")
    right, bottom, left, top = struct.unpack_from(">4I", stream, 8)
    count = struct.unpack_from(">H", stream, 40)[0]
    depths = stream[42 : 42 + 3 * count : 3]
    if not depths:
        raise DamagedPicture(f"{name}: a JPEG 2000 codestream without components")
    return Codestream(
        right - left,
        bottom - top,
        tuple((depth & 127) + 1 for depth in depths),
        any(depth & 128 for depth in depths),
    )


def header_boxes(data: bytes) -> dict[bytes, bytes]:
    """The first of each kind of box inside the JP2 header."""
    found: dict[bytes, bytes] = {}
    for kind, body in boxes(data) if data.startswith(SIGNATURE) else ():
        if kind == b"jp2h":
            for inner, content in boxes(body):
                found.setdefault(inner, content)
    return found


def uuid_boxes(data: bytes) -> dict[bytes, bytes]:
    """Content by UUID."""
    found: dict[bytes, bytes] = {}
    for kind, body in boxes(data) if data.startswith(SIGNATURE) else ():
        if kind == b"uuid":
            found.setdefault(body[:16], body[16:])
    return found


def alpha_channel(header: dict[bytes, bytes], channels: int) -> int:
    """TIFF's word on the last channel: 2 alpha, 1 alpha multiplied in, 0 unknown.

    A file that says nothing about its fourth (or second) channel means alpha.
    """
    body = header.get(b"cdef", b"")
    if len(body) < 8:
        return 2
    for at in range(2, len(body) - 5, 6):
        channel, kind, _ = struct.unpack_from(">3H", body, at)
        if channel == channels - 1:
            return {1: 2, 2: 1}.get(kind, 0)
    return 0


def resolution(header: dict[bytes, bytes]) -> tuple[float, float] | None:
    """Horizontal and vertical dots per inch of capture, or for want of it of display."""
    found = dict(boxes(header.get(b"res ", b"")))
    body = found.get(b"resc", found.get(b"resd", b""))
    if len(body) < 10:
        return None
    top, below, across, beneath, up, right = struct.unpack_from(">4H2b", body)
    if not (top and below and across and beneath):
        return None
    return across / beneath * 10.0**right * _METER, top / below * 10.0**up * _METER


def without_profile(jp2: bytes, channels: int) -> bytes:
    """The file with sRGB or grey stated instead of an ICC profile.

    The decoder would apply the profile by itself, roughly, and not say so.
    """
    parts: list[bytes] = []
    for kind, body in boxes(jp2):
        if kind != b"jp2h":
            parts.append(_box(kind, body))
            continue
        inner = [_box(*one) for one in boxes(body) if one[0] != b"colr"]
        stated = struct.pack(">3BI", ENUMERATED, 0, 0, 16 if channels >= 3 else 17)
        inner.insert(1, _box(b"colr", stated))
        parts.append(_box(kind, b"".join(inner)))
    return b"".join(parts)


def with_metadata(jp2: bytes, metadata: Metadata, alpha: bool) -> bytes:
    """A JP2 file with its profile, resolution, channel meanings, and EXIF, XMP, IPTC boxes."""
    parts: list[bytes] = []
    for kind, body in boxes(jp2):
        if kind == b"jp2c":
            parts.extend(_uuids(metadata))
        parts.append(_box(kind, _header(body, metadata, alpha) if kind == b"jp2h" else body))
    return b"".join(parts)


def _header(body: bytes, metadata: Metadata, alpha: bool) -> bytes:
    parts = [_box(kind, inner) for kind, inner in boxes(body) if kind not in (b"colr", b"cdef")]
    color = struct.pack(">3BI", ENUMERATED, 0, 0, 16)
    if metadata.icc:
        color = struct.pack(">3B", RESTRICTED_ICC, 0, 0) + metadata.icc
    parts.append(_box(b"colr", color))
    if alpha:
        channels = b"".join(struct.pack(">3H", index, 0, index + 1) for index in range(3))
        parts.append(_box(b"cdef", struct.pack(">H", 4) + channels + struct.pack(">3H", 3, 1, 0)))
    if metadata.dpi:
        parts.append(_box(b"res ", _box(b"resc", _capture(*metadata.dpi))))
    return b"".join(parts)


def _capture(across: float, down: float) -> bytes:
    """Samples a meter, as the box wants them: 16-bit fractions and powers of ten.

    An inch is 127 / 5000 of a meter, so that usual values come back exactly.
    """
    power = 2 if max(across, down) < 1300 else 3 if max(across, down) < 13000 else 4
    tops = (min(65535, max(1, round(side * 5000 / 10**power))) for side in (down, across))
    top, right = tops
    return struct.pack(">4H2b", top, 127, right, 127, power, power)


def _uuids(metadata: Metadata) -> Iterator[bytes]:
    pairs = ((UUID_EXIF, metadata.exif), (UUID_XMP, metadata.xmp), (UUID_IPTC, metadata.iptc))
    for name, content in pairs:
        if content:
            yield _box(b"uuid", name + content)


def _box(kind: bytes, body: bytes) -> bytes:
    if len(body) + 8 < 1 << 32:
        return struct.pack(">I4s", len(body) + 8, kind) + body
    return struct.pack(">I4sQ", 1, kind, len(body) + 16) + body
