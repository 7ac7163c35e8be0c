"""Read the metadata of a JPEG from its segments, and insert them into another one."""

import hashlib
import re
import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from archive_colorizer.image.codecs.jpeg.segments import (
    APP0,
    APP1,
    APP2,
    APP13,
    APPLICATIONS,
    COM,
    EXIF,
    EXTENDED_XMP,
    XMP,
    iterate_segments,
    pack_segment,
)
from archive_colorizer.image.metadata import exif as tiff
from archive_colorizer.image.metadata.exif_patch import restore_orientation
from archive_colorizer.image.metadata.model import SourceMetadata
from archive_colorizer.image.metadata.xmp import join_extended
from archive_colorizer.image.raster import Metadata

_ICC: Final = b"ICC_PROFILE\0"
_PHOTOSHOP: Final = b"Photoshop 3.0\0"
_IPTC_RESOURCE: Final = 0x0404
_KNOWN_RESOURCES: Final = frozenset((_IPTC_RESOURCE, 0x0425, 0x0409, 0x040C))
"""IPTC, its MD5, and old and new thumbnails, which would be stale."""
_LARGEST: Final = 65533
_XMP_UPRIGHT: Final = re.compile(rb'(\btiff:Orientation(?:="|>))1(?=["<])')
_REPLACED_SEGMENTS: Final = (b"JFIF\0", b"JFXX\0", b"Adobe")
"""Segments on the encoding, or with a thumbnail: the result has its own."""


def read_metadata(data: bytes) -> SourceMetadata:
    """Read the metadata segments of a JPEG, with warnings on what is not carried over."""
    exif = xmp = iptc = dpi = None
    profile: list[bytes] = []
    extended: list[bytes] = []
    comments: list[tuple[str, str]] = []
    warnings: list[str] = []
    losses: set[str] = set()
    has_others = False
    for marker, body in iterate_segments(data):
        if marker == APP1 and body.startswith(EXIF):
            exif = exif or body
        elif marker == APP1 and body.startswith(XMP):
            xmp = xmp or body[len(XMP) :]
        elif marker == APP1 and body.startswith(EXTENDED_XMP):
            extended.append(body[len(EXTENDED_XMP) :])
        elif marker == APP2 and body.startswith(_ICC):
            profile.append(body[len(_ICC) :])
        elif marker == APP2 and body.startswith(b"MPF\0"):
            has_others = True
        elif marker == APP13 and body.startswith(_PHOTOSHOP):
            iptc = iptc or find_iptc(body[len(_PHOTOSHOP) :])
            if _has_other_resources(body[len(_PHOTOSHOP) :]):
                losses.add("Photoshop's own resources")
        elif marker == APP0 and body.startswith(b"JFIF\0"):
            dpi = dpi or _parse_density(body[5:])
        elif marker == COM:
            comments.append(("", body.decode("utf-8", "surrogateescape")))
        elif marker in APPLICATIONS and not body.startswith(_REPLACED_SEGMENTS):
            losses.add(f"APP{marker - APP0} segments")
    if has_others:
        warnings.append("only the first of several pictures in the file was restored")
    icc = _join_icc(profile)
    if profile and icc is None:
        warnings.append("the ICC profile is incomplete and was dropped")
    if losses:
        warnings.append(f"not carried over: {', '.join(sorted(losses))}")
    if extended:
        whole = _join_extended_xmp(extended, xmp)
        xmp, joined = join_extended(xmp, whole)
        warnings.extend([] if joined else ["extended XMP is broken or hostile and was dropped"])
    return SourceMetadata(exif, icc, xmp, iptc, dpi, tuple(comments), warnings=tuple(warnings))


def read_orientation(source: bytes) -> int:
    """Read the EXIF orientation (1 to 8) of a JPEG; 1 if it is missing or EXIF is broken."""
    for marker, body in iterate_segments(source):
        if marker == APP1 and body.startswith(EXIF):
            try:
                stream = tiff.TiffStream.open(body[len(EXIF) :])
                return stream.read_orientation(stream.read_directory(stream.first))
            except tiff.BrokenDirectory:
                return 1
    return 1


def _join_icc(pieces: list[bytes]) -> bytes | None:
    """Join a profile from its APP2 segments without identifier; None if one is missing."""
    numbered = {part[0]: part for part in pieces if len(part) > 2}
    if not numbered or sorted(numbered) != list(range(1, numbered[min(numbered)][1] + 1)):
        return None
    return b"".join(numbered[index][2:] for index in sorted(numbered))


def _has_other_resources(photoshop: bytes) -> bool:
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


def _join_extended_xmp(parts: list[bytes], main: bytes | None) -> bytes | None:
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


def _parse_density(jfif: bytes) -> tuple[float, float] | None:
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
    iptc = _PHOTOSHOP + pack_iptc_resource(metadata.iptc or b"")
    if metadata.iptc and len(iptc) <= _LARGEST:
        parts.append(pack_segment(APP13, iptc))
    parts.extend(_pack_icc(metadata.icc or b""))
    parts.extend(_pack_comments(metadata))
    return b"".join((*parts, jpeg[end:]))


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
    step = _LARGEST - len(_ICC) - 2
    pieces = [profile[at : at + step] for at in range(0, len(profile), step)]
    for number, piece in enumerate(pieces if len(pieces) <= 255 else (), 1):
        yield pack_segment(APP2, _ICC + bytes((number, len(pieces))) + piece)


def pack_iptc_resource(records: bytes) -> bytes:
    """Pack IPTC-IIM records as a Photoshop resource, which `find_iptc` reads."""
    head = b"8BIM" + struct.pack(">HHI", _IPTC_RESOURCE, 0, len(records))
    return head + records + b"\0" * (len(records) % 2)


def set_orientation(metadata: Metadata, orientation: int) -> Metadata:
    """Adapt metadata of an upright picture to its pixels as stored.

    Sets the orientation in EXIF and XMP where it is present, and swaps EXIF's sides for
    orientations of 5 and above.  Keeping pixels as they are is exact for every picture; turning
    quantized blocks is so only if the sides are multiples of 8.
    """
    if orientation == 1:
        return metadata
    xmp = metadata.xmp and _XMP_UPRIGHT.sub(rb"\g<1>%d" % orientation, metadata.xmp)
    exif = metadata.exif and restore_orientation(metadata.exif, orientation)
    return replace(metadata, exif=exif, xmp=xmp)
