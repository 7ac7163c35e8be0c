"""Turn a grey JPEG into a color JPEG by copying the scan: the coded bits of luma stay as they are.

A baseline file may have a separate scan per component (ITU-T T.81, A.2), and the scan of a grey
file has the form of such a luma scan: 8 x 8 blocks, row by row.  So the result is the source's
scan with its tables, followed by two scans of chroma.
"""

import struct
from typing import Final

import numpy as np

from archive_colorizer.color.space import ByteArray
from archive_colorizer.errors import ResultUnwritable, UnsupportedPicture
from archive_colorizer.image.codecs.jpeg import segments as parts

_QUALITY: Final = 90
"""Quality of chroma: separate planes get the finer divisors of luma, which at 90 are about those
of color at 95.  Mean errors are 0.2 code values, for a twelfth of a scan's size."""

_Y, _CB, _CR = 1, 2, 3
_TABLES: Final = 6
"""Offset of the Huffman table numbers in the header of a one-component scan."""
_CODED: Final = 10
"""Offset of the coded bits."""


def carry_scan(source: bytes, cb: ByteArray, cr: ByteArray, name: str) -> bytes:
    """Build a baseline JFIF file without metadata from the scan of `source` and chroma planes.

    cb, cr: uint8, 128 neutral, oriented as the source's pixels are stored, ceil(H/2) x ceil(W/2)
        for 4:2:0 or H x W for 4:4:4.

    Does not check the coded bits.  Raises UnsupportedPicture unless `source` is grey baseline in
    one scan, ValueError for planes of another size, ResultUnwritable if the encoder fails.
    """
    frame = parts.JpegFrame.read(source, name)
    luma = parts.split_segments(source, name)
    kinds = [kind for kind, _ in luma]
    frames = sum(kind in parts.FRAMES for kind in kinds)
    if (
        not frame.is_grey_baseline
        or frames != 1
        or kinds.count(parts.SOS) != 1
        or kinds[-1] != parts.SOS
    ):
        raise UnsupportedPicture(f"{name}: not a grey baseline JPEG in one scan")
    step = compute_chroma_step(cb, cr, frame.height, frame.width, name)
    scan = luma[-1][1]
    blue, red = (_encode_grey(plane) for plane in (cb, cr))
    # Use other numbers than luma: not every decoder replaces a table of the same number.
    divisors, codes = 0 if frame.luma_table else 1, 0 if scan[_TABLES] else 1
    sides = struct.pack(">BHHB", frame.precision, frame.height, frame.width, 3)
    components = _Y, 0x11 * step, frame.luma_table, _CB, 0x11, divisors, _CR, 0x11, divisors
    jfif = next(parts.iterate_segments(blue))
    chroma = parts.split_segments(blue, name)
    return b"".join(
        (
            b"\xff\xd8",
            parts.pack_segment(*jfif),
            *_select_segments(luma, parts.DQT),
            *_set_table_number(_select_segments(chroma, parts.DQT), divisors),
            parts.pack_segment(parts.BASELINE, sides + bytes(components)),
            *_select_segments(luma, parts.DHT, parts.DRI),
            *_build_scan(_Y, scan[_TABLES], scan),
            parts.pack_segment(parts.DRI, b"\0\0") if parts.DRI in kinds else b"",  # no restarts
            *_set_table_number(_select_segments(chroma, parts.DHT), codes),
            *_build_scan(_CB, 0x11 * codes, chroma[-1][1]),
            *_build_scan(_CR, 0x11 * codes, parts.split_segments(red, name)[-1][1]),
            b"\xff\xd9",
        )
    )


def compute_chroma_step(cb: ByteArray, cr: ByteArray, height: int, width: int, name: str) -> int:
    """Return the luma samples per chroma sample in each direction: 1 or 2.

    Raises ValueError for planes that are neither ceil(H/2) x ceil(W/2) nor H x W.
    """
    whole, half = (height, width), ((height + 1) // 2, (width + 1) // 2)
    if cb.shape != cr.shape or cb.shape not in (whole, half):
        raise ValueError(f"{name}: chroma of {cb.shape} and {cr.shape} for luma of {whole}")
    return 1 if cb.shape == whole else 2


def _encode_grey(plane: ByteArray) -> bytes:
    import simplejpeg

    try:
        jpeg: bytes = simplejpeg.encode_jpeg(
            np.ascontiguousarray(plane)[..., None], quality=_QUALITY, colorspace="GRAY"
        )
    except ValueError as error:
        raise ResultUnwritable(f"chroma of {plane.shape} cannot be written: {error}") from None
    return jpeg


def _select_segments(pieces: list[parts.RawSegment], *kinds: int) -> list[memoryview]:
    return [piece for kind, piece in pieces if kind in kinds]


def _set_table_number(tables: list[memoryview], number: int) -> list[bytes]:
    """Change the number of tables, one per segment, from 0 to `number`."""
    return [bytes(table[:4]) + bytes((table[4] | number,)) + bytes(table[5:]) for table in tables]


def _build_scan(component: int, tables: int, scan: memoryview) -> tuple[bytes, memoryview]:
    """Return header and bits of a scan for another component with the given Huffman tables."""
    head = bytearray(scan[:_CODED])
    head[_TABLES - 1 : _TABLES + 1] = component, tables
    return bytes(head), scan[_CODED:]
