"""Read and write the boxes of a JP2 file without decoding the codestream."""

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
    """Image size marker: sides in pixels and the components' depths in bits."""

    width: int
    height: int
    depths: tuple[int, ...]
    signed: bool

    @classmethod
    def read(cls, data: bytes, name: str) -> "Codestream":
        """Read the first codestream.  Raises DamagedPicture if its size marker is missing."""
        stream = data
        if data.startswith(SIGNATURE):
            stream = next((body for kind, body in _iterate_boxes(data) if kind == b"jp2c"), b"")
        if not stream.startswith(CODESTREAM) or len(stream) < 42:
            raise DamagedPicture(f"{name}: no JPEG 2000 codestream in it; it is cut or corrupt")
        right, bottom, left, top = struct.unpack_from(">4I", stream, 8)
        count = struct.unpack_from(">H", stream, 40)[0]
        depths = stream[42 : 42 + 3 * count : 3]
        if not depths:
            raise DamagedPicture(f"{name}: a JPEG 2000 codestream without components")
        signed = any(depth & 128 for depth in depths)
        depths_in_bits = tuple((depth & 127) + 1 for depth in depths)
        return cls(right - left, bottom - top, depths_in_bits, signed)


@dataclass(frozen=True, slots=True)
class Jp2Boxes:
    """The first box of each type inside the JP2 header, and the first one of each UUID."""

    header: dict[bytes, bytes]
    uuids: dict[bytes, bytes]

    @classmethod
    def read(cls, data: bytes) -> "Jp2Boxes":
        """Read the boxes of a file; a bare codestream has none."""
        headers = (body for kind, body in _iterate_boxes(data) if kind == b"jp2h")
        inner = [box for header in headers for box in _iterate_boxes(header)]
        uuids = [body for kind, body in _iterate_boxes(data) if kind == b"uuid"]
        return cls(dict(reversed(inner)), {body[:16]: body[16:] for body in reversed(uuids)})

    @property
    def color(self) -> bytes:
        return self.header.get(b"colr", b"")

    def read_alpha_role(self, channels: int) -> int:
        """Return the role of the last channel as in TIFF: 2 alpha, 1 premultiplied, 0 unknown.

        Without a statement in the file, the fourth (or second) channel is alpha.
        """
        body = self.header.get(b"cdef", b"")
        if len(body) < 8:
            return 2
        for at in range(2, len(body) - 5, 6):
            channel, kind, _ = struct.unpack_from(">3H", body, at)
            if channel == channels - 1:
                return {1: 2, 2: 1}.get(kind, 0)
        return 0

    def read_resolution(self) -> tuple[float, float] | None:
        """Read horizontal and vertical dots per inch of capture, or otherwise of display."""
        boxes_by_type = dict(_iterate_boxes(self.header.get(b"res ", b"")))
        body = boxes_by_type.get(b"resc", boxes_by_type.get(b"resd", b""))
        if len(body) < 10:
            return None
        top, below, across, beneath, up, right = struct.unpack_from(">4H2b", body)
        if not (top and below and across and beneath):
            return None
        return across / beneath * 10.0**right * _METER, top / below * 10.0**up * _METER


def _iterate_boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield type and content of each box; stops quietly where the data ends."""
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


def replace_profile(jp2: bytes, channels: int) -> bytes:
    """Replace the ICC profile by a statement of sRGB or grey.

    The decoder would otherwise apply the profile, imprecisely and without notice.
    """
    parts: list[bytes] = []
    for kind, body in _iterate_boxes(jp2):
        content = body
        if kind == b"jp2h":
            inner = [_pack_box(*box) for box in _iterate_boxes(body) if box[0] != b"colr"]
            color = struct.pack(">3BI", ENUMERATED, 0, 0, 16 if channels >= 3 else 17)
            inner.insert(1, _pack_box(b"colr", color))
            content = b"".join(inner)
        parts.append(_pack_box(kind, content))
    return b"".join(parts)


def insert_metadata(jp2: bytes, metadata: Metadata, alpha: bool) -> bytes:
    """Insert profile, resolution, channel roles, and EXIF, XMP and IPTC boxes into a JP2 file."""
    parts: list[bytes] = []
    pairs = ((UUID_EXIF, metadata.exif), (UUID_XMP, metadata.xmp), (UUID_IPTC, metadata.iptc))
    for kind, body in _iterate_boxes(jp2):
        if kind == b"jp2c":
            parts.extend(_pack_box(b"uuid", uuid + content) for uuid, content in pairs if content)
        content = _build_header(body, metadata, alpha) if kind == b"jp2h" else body
        parts.append(_pack_box(kind, content))
    return b"".join(parts)


def _build_header(body: bytes, metadata: Metadata, alpha: bool) -> bytes:
    boxes = (box for box in _iterate_boxes(body) if box[0] not in (b"colr", b"cdef"))
    parts = [_pack_box(*box) for box in boxes]
    color = struct.pack(">3BI", ENUMERATED, 0, 0, 16)
    if metadata.icc:
        color = struct.pack(">3B", RESTRICTED_ICC, 0, 0) + metadata.icc
    parts.append(_pack_box(b"colr", color))
    if alpha:
        channels = b"".join(struct.pack(">3H", index, 0, index + 1) for index in range(3))
        roles = struct.pack(">H", 4) + channels + struct.pack(">3H", 3, 1, 0)
        parts.append(_pack_box(b"cdef", roles))
    if metadata.dpi:
        parts.append(_pack_box(b"res ", _pack_box(b"resc", _pack_resolution(*metadata.dpi))))
    return b"".join(parts)


def _pack_resolution(across: float, down: float) -> bytes:
    """Pack dots per inch as samples per meter: 16-bit fractions and powers of ten.

    An inch is 127 / 5000 of a meter, so that usual values come back exactly.
    """
    power = 2 if max(across, down) < 1300 else 3 if max(across, down) < 13000 else 4
    tops = (min(65535, max(1, round(side * 5000 / 10**power))) for side in (down, across))
    top, right = tops
    return struct.pack(">4H2b", top, 127, right, 127, power, power)


def _pack_box(kind: bytes, body: bytes) -> bytes:
    if len(body) + 8 < 1 << 32:
        return struct.pack(">I4s", len(body) + 8, kind) + body
    return struct.pack(">I4sQ", 1, kind, len(body) + 16) + body
