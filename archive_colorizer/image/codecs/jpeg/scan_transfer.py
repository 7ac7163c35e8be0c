"""Grey JPEG to color JPEG by carrying the scan over: the coded bits of luma go in as they are.

A baseline file may hold each component in a scan of its own (ITU-T T.81, A.2), and the scan of
a grey file is already what the luma of such a file has: 8 x 8 blocks, row by row.  So the
result is the source's scan with its tables, followed by two scans of chroma.  Nothing of luma
is decoded or encoded, and every decoder gives the same luma from both files.
"""

import struct
from typing import Final

import numpy as np

from archive_colorizer.errors import ResultUnwritable, UnsupportedPicture
from archive_colorizer.image.codecs.jpeg import segments as parts
from archive_colorizer.image.codecs.jpeg.coefficients import Piece, Plane8, chroma_step, pieces_of

_QUALITY: Final = 90
"""Of chroma: planes on their own get the finer divisors of luma, and these at 90 are about those
of color at 95.  Mean errors are 0.2 code values, for a twelfth of a scan's size."""

_BASELINE: Final = 0xC0
_Y, _CB, _CR = 1, 2, 3
_TABLES: Final = 6
"""Where the segment of a scan of one component names its tables of means and of the rest."""
_CODED: Final = 10
"""Where its bits begin."""
_NO_RESTARTS: Final = b"\0\0"


def can_carry(frame: parts.Frame) -> bool:
    """Whether the scan of files with this frame can be carried: those that are grey baseline."""
    return (frame.marker, frame.precision, frame.components) == (_BASELINE, 8, 1)


def carry_scan(source: bytes, cb: Plane8, cr: Plane8, name: str) -> bytes:
    """A baseline JFIF file, without metadata, of the scan of a grey `source` and chroma planes.

    cb, cr: uint8, 128 neutral, laid as the source's pixels are stored, ceil(H/2) x ceil(W/2)
    for 4:2:0 or H x W for 4:4:4. name: for messages.

    Whether the scan is sound is for a decoder to say and is not looked at here.  Raises
    UnsupportedPicture for what is not grey baseline in one scan, ValueError for planes of
    another size, ResultUnwritable for what the encoder refuses.
    """
    frame = parts.frame_of(source, name)
    luma = pieces_of(source, name)
    kinds = [kind for kind, _ in luma]
    frames = sum(kind in parts.FRAMES for kind in kinds)
    if not can_carry(frame) or frames != 1 or kinds.count(parts.SOS) != 1 or kinds[-1] != parts.SOS:
        raise UnsupportedPicture(f"{name}: not a grey baseline JPEG in one scan")
    step = chroma_step(cb, cr, frame.height, frame.width, name)
    scan = luma[-1][1]
    blue, red = (_encoded(plane) for plane in (cb, cr))
    # Beside luma's own: not every decoder lets go of a table when another takes its number.
    divisors, codes = 0 if frame.luma_table else 1, 0 if scan[_TABLES] else 1
    sides = struct.pack(">BHHB", frame.precision, frame.height, frame.width, 3)
    components = bytes(
        (_Y, 0x11 * step, frame.luma_table, _CB, 0x11, divisors, _CR, 0x11, divisors)
    )
    jfif = next(parts.segments(blue))
    chroma = pieces_of(blue, name)
    return b"".join(
        (
            b"\xff\xd8",
            parts.segment(*jfif),
            *_of(luma, parts.DQT),
            *_numbered(_of(chroma, parts.DQT), divisors),
            parts.segment(_BASELINE, sides + components),
            *_of(luma, parts.DHT, parts.DRI),
            *_scan_of(_Y, scan[_TABLES], scan),
            parts.segment(parts.DRI, _NO_RESTARTS) if parts.DRI in kinds else b"",
            *_numbered(_of(chroma, parts.DHT), codes),
            *_scan_of(_CB, 0x11 * codes, chroma[-1][1]),
            *_scan_of(_CR, 0x11 * codes, pieces_of(red, name)[-1][1]),
            b"\xff\xd9",
        )
    )


def _encoded(plane: Plane8) -> bytes:
    """A grey file of the plane."""
    import simplejpeg

    try:
        jpeg: bytes = simplejpeg.encode_jpeg(
            np.ascontiguousarray(plane)[..., None], quality=_QUALITY, colorspace="GRAY"
        )
    except ValueError as error:
        raise ResultUnwritable(f"chroma of {plane.shape} cannot be written: {error}") from None
    return jpeg


def _of(pieces: list[Piece], *kinds: int) -> list[memoryview]:
    return [piece for kind, piece in pieces if kind in kinds]


def _numbered(tables: list[memoryview], number: int) -> list[bytes]:
    """Segments of one table each, which was number 0, as that number."""
    return [bytes(one[:4]) + bytes((one[4] | number,)) + bytes(one[5:]) for one in tables]


def _scan_of(component: int, tables: int, scan: memoryview) -> tuple[bytes, memoryview]:
    """The scan of one component as that of another one, with those Huffman tables."""
    head = bytearray(scan[:_CODED])
    head[_TABLES - 1 : _TABLES + 1] = component, tables
    return bytes(head), scan[_CODED:]
