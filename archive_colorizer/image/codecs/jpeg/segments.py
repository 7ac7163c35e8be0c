"""The segments of a JPEG file: what lies between its markers, read and written without decoding."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from archive_colorizer.errors import DamagedPicture, UnsupportedPicture

APP0, APP1, APP2, APP13 = 0xE0, 0xE1, 0xE2, 0xED
COM, DHT, DQT, DRI, SOS, EOI = 0xFE, 0xC4, 0xDB, 0xDD, 0xDA, 0xD9
APPLICATIONS: Final = frozenset(range(0xE0, 0xF0))
BASELINE: Final = 0xC0
FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
EXIF: Final = b"Exif\0\0"
XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"
EXTENDED_XMP: Final = b"http://ns.adobe.com/xmp/extension/\0"
_STANDALONE: Final = frozenset((0x01, *range(0xD0, 0xD9)))
HUFFMAN_FRAMES: Final = frozenset((0xC0, 0xC1, 0xC2))
_PROGRESSIVE: Final = frozenset((0xC2, 0xC6, 0xCA, 0xCE))
_KEPT_MARKERS: Final = HUFFMAN_FRAMES | {DHT, DRI, DQT}
_METADATA_MARKERS: Final = APPLICATIONS | {COM}
_MARKER: Final = re.compile(rb"\xff+([\x01-\xfe])")
_AFTER_SCAN: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")

RawSegment: TypeAlias = tuple[int, memoryview]
"""A marker, and its whole segment as in the file; that of a scan includes its coded bits."""


@dataclass(frozen=True, slots=True)
class JpegFrame:
    """Frame header; `precision` in bits per sample, sides in pixels."""

    marker: int
    precision: int
    height: int
    width: int
    components: int
    luma_table: int

    def compute_minimum_bytes(self) -> int:
        """Return the smallest possible size of a complete file with this frame.

        Every block of 8 x 8 takes a Huffman code of at least one bit for its mean and, unless
        progressive, another one for its end.
        """
        blocks = -(-self.width // 8) * -(-self.height // 8)
        bits = {0xC0: 2, 0xC1: 2, 0xC2: 1}.get(self.marker, 0)
        return blocks * bits // 8

    @classmethod
    def read(cls, data: bytes, name: str) -> "JpegFrame":
        """Read the frame header.  Raises DamagedPicture if there is none before the first scan."""
        for marker, body in iterate_segments(data):
            if marker in FRAMES and len(body) >= 9:
                precision, height, width, components, _, _, table = struct.unpack_from(
                    ">BHHBBBB", body
                )
                return cls(marker, precision, height, width, components, table)
        raise DamagedPicture(f"{name}: a JPEG without a frame header; it is cut or corrupt")

    @property
    def is_progressive(self) -> bool:
        return self.marker in _PROGRESSIVE

    @property
    def is_grey_baseline(self) -> bool:
        return (self.marker, self.precision, self.components) == (BASELINE, 8, 1)


def iterate_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield marker and content of each segment before the first scan, or up to the data's end."""
    for marker, at, end in _iterate_places(data):
        if marker in (SOS, EOI):
            return
        yield marker, data[at + 4 : end]


def count_segments(data: bytes) -> int:
    """Count the segments before the first scan."""
    return sum(1 for _ in _iterate_places(data))


def count_scans(data: bytes) -> int:
    """Count the scans up to the end of the picture, by their markers."""
    at = next((place for marker, place, _ in _iterate_places(data) if marker == SOS), len(data))
    scans = 0
    while match := _AFTER_SCAN.search(data, at):
        at, marker = match.start(), data[match.start() + 1]
        if marker == EOI:
            break
        scans += marker == SOS
        has_length = marker not in _STANDALONE
        at += 2 + (int.from_bytes(data[at + 2 : at + 4], "big") if has_length else 0)
    return scans


def _iterate_places(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, begin and end of each segment, up to the first scan or the data's end."""
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
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, at, at + 2 + length
        if marker in (SOS, EOI):
            return
        at += 2 + max(length, 2)


def pack_segment(marker: int, body: bytes) -> bytes:
    """Pack a segment from its content of at most 65,533 bytes."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def split_segments(source: bytes, name: str) -> list[RawSegment]:
    """Return the segments that encode the picture, without metadata and trailing data.

    Raises UnsupportedPicture for any unusual structure.
    """
    pieces: list[RawSegment] = []
    whole, at, has_scan = memoryview(source), 2, False
    while match := _MARKER.match(source, at):
        marker, at = match[1][0], match.end() - 2
        if marker == EOI and has_scan:
            return pieces
        end = at + 2 + int.from_bytes(source[at + 2 : at + 4], "big")
        if marker == SOS and (follower := _AFTER_SCAN.search(source, end)):
            end, has_scan = follower.start(), True
        # Divisors redefined after a scan do not belong to its coefficients.
        elif marker not in _KEPT_MARKERS | _METADATA_MARKERS or (marker == DQT and has_scan):
            break
        if marker not in _METADATA_MARKERS:
            pieces.append((marker, whole[at:end]))
        at = end
    raise UnsupportedPicture(f"{name}: the coefficients of a JPEG of this structure cannot be kept")
