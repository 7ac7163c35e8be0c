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
REPLACED: Final = (b"JFIF\0", b"JFXX\0", b"Adobe")
"""Segments that tell of the coding, or hold a thumbnail: the result has its own."""

FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
EXIF: Final = b"Exif\0\0"
XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"
EXTENDED_XMP: Final = b"http://ns.adobe.com/xmp/extension/\0"
ICC: Final = b"ICC_PROFILE\0"
PHOTOSHOP: Final = b"Photoshop 3.0\0"
_IPTC_RESOURCE: Final = 0x0404
_REPLACED: Final = frozenset((_IPTC_RESOURCE, 0x0425, 0x0409, 0x040C))
"""IPTC, its MD5, and the thumbnails of old and of new, which would be stale."""
_LARGEST: Final = 65533
_STANDALONE: Final = frozenset((0x01, *range(0xD0, 0xD9)))


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame header: its marker, bits a sample, sides in pixels, and the luma's table."""

    marker: int
    precision: int
    height: int
    width: int
    components: int
    luma_table: int


def least_bytes(frame: Frame) -> int:
    """So many bytes a whole file of this frame has at least.

    Every block of 8 x 8 takes a Huffman code of one bit or more for its mean, and without
    progression another one for its end.
    """
    blocks = -(-frame.width // 8) * -(-frame.height // 8)
    bits = {0xC0: 2, 0xC1: 2, 0xC2: 1}.get(frame.marker, 0)
    return blocks * bits // 8


def segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and content of each segment up to the first scan; stops quietly where data ends."""
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


def frame_of(data: bytes, name: str) -> Frame:
    """The frame header.  Raises DamagedPicture when there is none before the first scan."""
    for marker, body in segments(data):
        if marker in FRAMES and len(body) >= 9:
            precision, height, width, components, _, _, table = struct.unpack_from(">BHHBBBB", body)
            return Frame(marker, precision, height, width, components, table)
    raise DamagedPicture(f"{name}: a JPEG without a frame header; it is cut or corrupt")


def quantisation_table(data: bytes, number: int) -> tuple[int, ...] | None:
    """The 64 divisors of table `number` in zigzag order, or None when it is not defined."""
    found: tuple[int, ...] | None = None
    for marker, body in segments(data):
        at = 0
        while marker == DQT and at < len(body):
            wide, which = body[at] >> 4, body[at] & 15
            size = 128 if wide else 64
            content = body[at + 1 : at + 1 + size]
            if which == number and len(content) == size:
                found = struct.unpack(">64H" if wide else ">64B", content)
            at += 1 + size
    return found


def icc_of(parts: list[bytes]) -> bytes | None:
    """A profile from its APP2 segments (without their identifier), or None when one is missing."""
    numbered = {part[0]: part for part in parts if len(part) > 2}
    if not numbered or sorted(numbered) != list(range(1, numbered[min(numbered)][1] + 1)):
        return None
    return b"".join(numbered[index][2:] for index in sorted(numbered))


def has_other_resources(photoshop: bytes) -> bool:
    """Whether Photoshop's resources are more than IPTC and its digest, thumbnails or nothing."""
    return any(number not in _REPLACED for number, _ in _resources(photoshop))


def _resources(photoshop: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and content of each of Photoshop's resources; stops quietly at what is none."""
    at = 0
    while at + 12 <= len(photoshop) and photoshop[at : at + 4] == b"8BIM":
        number = int.from_bytes(photoshop[at + 4 : at + 6], "big")
        title = photoshop[at + 6] + 1
        at += 6 + title + title % 2
        size = int.from_bytes(photoshop[at : at + 4], "big")
        yield number, photoshop[at + 4 : at + 4 + size]
        at += 4 + size + size % 2


def iptc_of(photoshop: bytes) -> bytes | None:
    """The IPTC-IIM records among Photoshop's resources, or None."""
    found = (body for number, body in _resources(photoshop) if number == _IPTC_RESOURCE)
    return next(found, None) or None


def extended_xmp_of(parts: list[bytes], main: bytes | None) -> bytes | None:
    """The extended packet that the main one names, or None when a piece is missing.

    parts: the segments' content after their identifier: name, whole length, place, piece.
    """
    pieces: dict[int, bytes] = {}
    length = 0
    for part in parts:
        if len(part) > 40 and part[:32] in (main or b""):
            length, at = struct.unpack_from(">II", part, 32)
            pieces[at] = part[40:]
    whole = b"".join(pieces[at] for at in sorted(pieces))
    places = [0]
    for at in sorted(pieces):
        places.append(places[-1] + len(pieces[at]))
    return whole if pieces and places[:-1] == sorted(pieces) and len(whole) == length else None


def density_of(jfif: bytes) -> tuple[float, float] | None:
    """Dots per inch from a JFIF segment (after its identifier), or None where it has no unit."""
    if len(jfif) < 7:
        return None
    unit, across, down = struct.unpack_from(">BHH", jfif, 2)
    scale = {1: 1.0, 2: 2.54}.get(unit)
    return (across * scale, down * scale) if scale and across and down else None


def with_metadata(jpeg: bytes, metadata: Metadata) -> bytes:
    """A JFIF file with its density set and EXIF, XMP, ICC and IPTC segments put in.

    Metadata too long for the format's segments (EXIF above 64 kB) is left out; XMP goes on
    in extended segments.
    """
    if jpeg[2:4] != b"\xff\xe0":
        raise ValueError("the encoder wrote no JFIF header")
    end = 4 + int.from_bytes(jpeg[4:6], "big")
    parts = [jpeg[:2], _jfif(jpeg[2:end], metadata.dpi)]
    if metadata.exif and len(EXIF) + len(metadata.exif) <= _LARGEST:
        parts.append(segment(APP1, EXIF + metadata.exif))
    if metadata.xmp:
        parts.extend(_xmp_segments(metadata.xmp))
    if metadata.iptc:
        parts.extend(_iptc_segments(metadata.iptc))
    if metadata.icc:
        parts.extend(_icc_segments(metadata.icc))
    parts.extend(_comments(metadata))
    return b"".join((*parts, jpeg[end:]))


def segment(marker: int, body: bytes) -> bytes:
    """A whole segment from its content, of at most 65,533 bytes."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _jfif(segment: bytes, dpi: tuple[float, float] | None) -> bytes:
    if dpi is None or not all(1 <= round(side) <= 65535 for side in dpi):
        return segment
    return segment[:11] + struct.pack(">BHH", 1, round(dpi[0]), round(dpi[1])) + segment[16:]


def _xmp_segments(packet: bytes) -> Iterator[bytes]:
    """One segment, or for a long packet a short one that names the extended ones after it."""
    if len(XMP) + len(packet) <= _LARGEST:
        yield segment(APP1, XMP + packet)
        return
    # The standard asks for the MD5 of the extended packet as its name, not as a protection.
    name = hashlib.md5(packet, usedforsecurity=False).hexdigest().upper().encode()
    pointer = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        b'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="'
        + name
        + b'"/></rdf:RDF></x:xmpmeta>'
    )
    yield segment(APP1, XMP + pointer)
    step = 65000
    for at in range(0, len(packet), step):
        place = struct.pack(">II", len(packet), at)
        yield segment(APP1, EXTENDED_XMP + name + place + packet[at : at + step])


def _comments(metadata: Metadata) -> Iterator[bytes]:
    for keyword, text in metadata.comments:
        said = f"{keyword}: {text}" if keyword not in ("", "Comment") else text
        raw = said.encode("utf-8", "surrogateescape")
        for at in range(0, len(raw), _LARGEST):
            yield segment(COM, raw[at : at + _LARGEST])


def _icc_segments(profile: bytes) -> Iterator[bytes]:
    step = _LARGEST - len(ICC) - 2
    pieces = [profile[at : at + step] for at in range(0, len(profile), step)]
    if len(pieces) > 255:
        return
    for number, piece in enumerate(pieces, 1):
        yield segment(APP2, ICC + bytes((number, len(pieces))) + piece)


def photoshop_resource(records: bytes) -> bytes:
    """IPTC-IIM records as one of Photoshop's resources, which `iptc_of` takes out again."""
    head = b"8BIM" + struct.pack(">HHI", _IPTC_RESOURCE, 0, len(records))
    return head + records + b"\0" * (len(records) % 2)


def _iptc_segments(records: bytes) -> Iterator[bytes]:
    body = PHOTOSHOP + photoshop_resource(records)
    if len(body) <= _LARGEST:
        yield segment(APP13, body)
