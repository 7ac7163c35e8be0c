"""The segments of a JPEG file: what lies between its markers, read and written without decoding."""

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from archive_colorizer.errors import DamagedPicture
from archive_colorizer.image.raster import Metadata

APP0, APP1, APP2, APP13 = 0xE0, 0xE1, 0xE2, 0xED
COM, DHT, DQT, DRI, SOS, EOI = 0xFE, 0xC4, 0xDB, 0xDD, 0xDA, 0xD9
APPLICATIONS: Final = frozenset(range(0xE0, 0xF0))
REPLACED_SEGMENTS: Final = (b"JFIF\0", b"JFXX\0", b"Adobe")
"""Segments on the encoding, or with a thumbnail: the result has its own."""

FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
EXIF: Final = b"Exif\0\0"
XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"
EXTENDED_XMP: Final = b"http://ns.adobe.com/xmp/extension/\0"
ICC: Final = b"ICC_PROFILE\0"
PHOTOSHOP: Final = b"Photoshop 3.0\0"
_IPTC_RESOURCE: Final = 0x0404
_KNOWN_RESOURCES: Final = frozenset((_IPTC_RESOURCE, 0x0425, 0x0409, 0x040C))
"""IPTC, its MD5, and old and new thumbnails, which would be stale."""
_LARGEST: Final = 65533
_STANDALONE: Final = frozenset((0x01, *range(0xD0, 0xD9)))


@dataclass(frozen=True, slots=True)
class JpegFrame:
    """Frame header; `precision` in bits per sample, sides in pixels."""

    marker: int
    precision: int
    height: int
    width: int
    components: int
    luma_table: int


def compute_minimum_bytes(frame: JpegFrame) -> int:
    """Return the smallest possible size of a complete file with this frame.

    Every block of 8 x 8 takes a Huffman code of at least one bit for its mean and, unless
    progressive, another one for its end.
    """
    blocks = -(-frame.width // 8) * -(-frame.height // 8)
    bits = {0xC0: 2, 0xC1: 2, 0xC2: 1}.get(frame.marker, 0)
    return blocks * bits // 8


def iterate_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield marker and content of each segment before the first scan, or up to the data's end."""
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            at = data.find(b"\xff", at)
            if at < 0:
                return
            continue
        marker = data[at + 1]
        if marker == 0xFF or marker == 0 or marker in _STANDALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in (SOS, EOI):
            return
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, data[at + 4 : at + 2 + length]
        at += 2 + max(length, 2)


def read_frame(data: bytes, name: str) -> JpegFrame:
    """Read the frame header.  Raises DamagedPicture if there is none before the first scan."""
    for marker, body in iterate_segments(data):
        if marker in FRAMES and len(body) >= 9:
            precision, height, width, components, _, _, table = struct.unpack_from(">BHHBBBB", body)
            return JpegFrame(marker, precision, height, width, components, table)
    raise DamagedPicture(f"{name}: a JPEG without a frame header; it is cut or corrupt")


def read_quantization_table(data: bytes, number: int) -> tuple[int, ...] | None:
    """Read the 64 divisors of a table in zigzag order; None if the table is not defined."""
    divisors: tuple[int, ...] | None = None
    for marker, body in iterate_segments(data):
        at = 0
        while marker == DQT and at < len(body):
            wide, table_number = body[at] >> 4, body[at] & 15
            size = 128 if wide else 64
            content = body[at + 1 : at + 1 + size]
            if table_number == number and len(content) == size:
                divisors = struct.unpack(">64H" if wide else ">64B", content)
            at += 1 + size
    return divisors


def join_icc(parts: list[bytes]) -> bytes | None:
    """Join a profile from its APP2 segments without identifier; None if one is missing."""
    numbered = {part[0]: part for part in parts if len(part) > 2}
    if not numbered or sorted(numbered) != list(range(1, numbered[min(numbered)][1] + 1)):
        return None
    return b"".join(numbered[index][2:] for index in sorted(numbered))


def has_other_resources(photoshop: bytes) -> bool:
    """Check for Photoshop resources other than IPTC, its digest, and thumbnails."""
    return any(number not in _KNOWN_RESOURCES for number, _ in _iterate_resources(photoshop))


def _iterate_resources(photoshop: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of each Photoshop resource; stops quietly at invalid data."""
    at = 0
    while at + 12 <= len(photoshop) and photoshop[at : at + 4] == b"8BIM":
        number = int.from_bytes(photoshop[at + 4 : at + 6], "big")
        title = photoshop[at + 6] + 1
        at += 6 + title + title % 2
        size = int.from_bytes(photoshop[at : at + 4], "big")
        yield number, photoshop[at + 4 : at + 4 + size]
        at += 4 + size + size % 2


def find_iptc(photoshop: bytes) -> bytes | None:
    """Find the IPTC-IIM records among Photoshop resources."""
    contents = (body for number, body in _iterate_resources(photoshop) if number == _IPTC_RESOURCE)
    return next(contents, None) or None


def join_extended_xmp(parts: list[bytes], main: bytes | None) -> bytes | None:
    """Join the extended packet that the main one names; None if a piece is missing.

    parts: each segment's content after the identifier: name, total length, offset, piece.
    """
    pieces: dict[int, bytes] = {}
    whole, length = bytearray(), 0
    for part in parts:
        if len(part) > 40 and part[:32] in (main or b""):
            length, at = struct.unpack_from(">II", part, 32)
            pieces[at] = part[40:]
    for at in sorted(pieces):
        if at != len(whole):
            return None
        whole += pieces[at]
    return bytes(whole) if pieces and len(whole) == length else None


def parse_density(jfif: bytes) -> tuple[float, float] | None:
    """Parse dots per inch from a JFIF segment (after its identifier); None without a unit."""
    if len(jfif) < 7:
        return None
    unit, across, down = struct.unpack_from(">BHH", jfif, 2)
    scale = {1: 1.0, 2: 2.54}.get(unit)
    return (across * scale, down * scale) if scale and across and down else None


def insert_metadata(jpeg: bytes, metadata: Metadata) -> bytes:
    """Set the density of a JFIF file and insert EXIF, XMP, ICC and IPTC segments and comments.

    Metadata too long for its segment (EXIF above 64 kB) is left out; long XMP is split.
    """
    if jpeg[2:4] != b"\xff\xe0":
        raise ValueError("the encoder wrote no JFIF header")
    end = 4 + int.from_bytes(jpeg[4:6], "big")
    parts = [jpeg[:2], _set_density(jpeg[2:end], metadata.dpi)]
    if metadata.exif and len(EXIF) + len(metadata.exif) <= _LARGEST:
        parts.append(pack_segment(APP1, EXIF + metadata.exif))
    if metadata.xmp:
        parts.extend(_pack_xmp(metadata.xmp))
    iptc = PHOTOSHOP + pack_iptc_resource(metadata.iptc or b"")
    if metadata.iptc and len(iptc) <= _LARGEST:
        parts.append(pack_segment(APP13, iptc))
    parts.extend(_pack_icc(metadata.icc or b""))
    parts.extend(_pack_comments(metadata))
    return b"".join((*parts, jpeg[end:]))


def pack_segment(marker: int, body: bytes) -> bytes:
    """Pack a segment from its content of at most 65,533 bytes."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _set_density(segment: bytes, dpi: tuple[float, float] | None) -> bytes:
    if dpi is None or not all(1 <= round(side) <= 65535 for side in dpi):
        return segment
    return segment[:11] + struct.pack(">BHH", 1, round(dpi[0]), round(dpi[1])) + segment[16:]


def _pack_xmp(packet: bytes) -> Iterator[bytes]:
    """Yield one segment, or for a long packet a short one that names the extended ones."""
    if len(XMP) + len(packet) <= _LARGEST:
        yield pack_segment(APP1, XMP + packet)
        return
    # The standard names the extended packet by its MD5; this is not a protection.
    name = hashlib.md5(packet, usedforsecurity=False).hexdigest().upper().encode()
    pointer = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        b'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="'
        + name
        + b'"/></rdf:RDF></x:xmpmeta>'
    )
    yield pack_segment(APP1, XMP + pointer)
    for at in range(0, len(packet), 65000):
        position = struct.pack(">II", len(packet), at)
        yield pack_segment(APP1, EXTENDED_XMP + name + position + packet[at : at + 65000])


def _pack_comments(metadata: Metadata) -> Iterator[bytes]:
    for keyword, text in metadata.comments:
        comment = f"{keyword}: {text}" if keyword not in ("", "Comment") else text
        raw = comment.encode("utf-8", "surrogateescape")
        for at in range(0, len(raw), _LARGEST):
            yield pack_segment(COM, raw[at : at + _LARGEST])


def _pack_icc(profile: bytes) -> Iterator[bytes]:
    step = _LARGEST - len(ICC) - 2
    pieces = [profile[at : at + step] for at in range(0, len(profile), step)]
    for number, piece in enumerate(pieces if len(pieces) <= 255 else (), 1):
        yield pack_segment(APP2, ICC + bytes((number, len(pieces))) + piece)


def pack_iptc_resource(records: bytes) -> bytes:
    """Pack IPTC-IIM records as a Photoshop resource, which `find_iptc` reads."""
    head = b"8BIM" + struct.pack(">HHI", _IPTC_RESOURCE, 0, len(records))
    return head + records + b"\0" * (len(records) % 2)
