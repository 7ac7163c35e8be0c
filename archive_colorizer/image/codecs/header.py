"""Estimate the memory that a picture will take, from its header alone."""

import math
import os
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from archive_colorizer.errors import DamagedPicture
from archive_colorizer.image.codecs.jp2_boxes import Codestream
from archive_colorizer.image.codecs.jpeg.segments import JpegFrame
from archive_colorizer.image.metadata.exif import BrokenDirectory, TiffStream
from archive_colorizer.image.raster import Format
from archive_colorizer.image.signatures import sniff
from archive_colorizer.location import Location, ObjectLocation
from archive_colorizer.storage.object_storage import ObjectStorage

_HEADER_BYTES: Final = 1 << 18
"""Bytes that hold the header of nearly every file except TIFF, even after a JPEG's metadata."""
_LONGEST_HEADER_BYTES: Final = 1 << 25
_DIRECTORY_BYTES: Final = 1 << 16
_BITS, _SHORT, _PALETTE = 258, 3, 3
_PLANES, _TILE_WIDTH, _FLOAT = 2, 322, 3
_OPEN_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_WEBP_HEADER: Final = 30
_WEBP_BYTES, _HEIF_BYTES = 33, 10
"""Bytes per pixel; those of HEIF are for each byte of a sample."""

_ReadPart: TypeAlias = Callable[[int, int], bytes]
"""Reads a number of bytes from an offset."""

_BASE_BYTES: Final = 300 << 20
"""Bytes that the libraries and the network take before any picture."""


@dataclass(frozen=True, slots=True)
class PictureSize:
    """Sides in pixels, samples per pixel, and `depth` in bytes per sample.

    in_planes: true for JPEG, which is never converted to RGB at full size.
    codec_bytes: bytes per pixel of a decoder or encoder that needs the whole picture at once.
    """

    width: int
    height: int
    samples: int
    depth: int
    codec_bytes: int = 0
    in_planes: bool = False

    @classmethod
    def read(cls, path: Path) -> "PictureSize | None":
        """Read the size of a file of any format except camera raw; of a TIFF, its first picture."""
        try:
            file = os.open(path, _OPEN_READ)
        except OSError:
            return None
        try:
            return _parse_header(partial(os.pread, file))
        finally:
            os.close(file)


def estimate_picture_memory(path: Location) -> int:
    """Estimate the most bytes that a worker takes to restore this picture; 0 if unknown.

    Never raises: the decoder reports what is wrong with a file.
    """
    if isinstance(path, ObjectLocation):
        size = _parse_header(ObjectStorage(path).read_part)
    else:
        size = PictureSize.read(path)
    if size is None:
        return 0
    # Slightly more than was measured, also with --paranoid; docs/scaling.md has both figures.
    bytes_per_pixel = max(6, 2 + size.codec_bytes)
    if not size.in_planes:
        planes = 2 if size.samples in (2, 4) else 1  # luma and alpha
        bytes_per_pixel = 4 + 2 * planes * size.depth + size.codec_bytes
        # An object stays in memory while it is decoded; a file is read from the disk.
        bytes_per_pixel += size.samples * size.depth * isinstance(path, ObjectLocation)
    return _BASE_BYTES + bytes_per_pixel * size.width * size.height


def _parse_header(read: _ReadPart) -> PictureSize | None:
    try:
        beginning = read(_HEADER_BYTES, 0)
        kind = sniff(beginning)
        if kind == "tiff":
            return _read_tiff_size(read, beginning)
        reader = _SIZE_READERS.get(kind) if kind else None
        if reader is None:
            return None
        try:
            return reader(beginning)
        except DamagedPicture:
            return reader(read(_LONGEST_HEADER_BYTES, 0))
    except (OSError, OverflowError, DamagedPicture, BrokenDirectory, struct.error):
        return None


def _read_jpeg_size(data: bytes) -> PictureSize:
    frame = JpegFrame.read(data, "")
    # Coefficients are whole in memory, 2 bytes each, until the last scan is read.
    codec_bytes = {1: 2, 3: 6}.get(frame.components, 14) if frame.is_progressive else 0
    return PictureSize(frame.width, frame.height, frame.components, 1, codec_bytes, in_planes=True)


def _read_png_size(data: bytes) -> PictureSize:
    width, height, bits, color_type, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    samples = {0: 1, 2: 3, 3: 3, 4: 2}.get(color_type, 4)  # palettes become RGB
    depth = 2 if bits > 8 else 1
    return PictureSize(width, height, samples, depth, samples * depth if interlaced else 0)


def _read_bmp_size(data: bytes) -> PictureSize:
    width, height = struct.unpack_from("<ii", data, 18)
    return PictureSize(abs(width), abs(height), 3, 1, 4)


def _read_jp2_size(data: bytes) -> PictureSize | None:
    stream = Codestream.read(data, "")
    if stream.width <= 0 or stream.height <= 0:
        return None
    samples, depth = len(stream.depths), 2 if stream.depths[0] > 8 else 1
    return PictureSize(stream.width, stream.height, samples, depth, 22 + 3 * samples * depth)


def _read_webp_size(data: bytes) -> PictureSize | None:
    if len(data) < _WEBP_HEADER:
        return None
    kind, flags = data[12:16], data[20]
    if kind == b"VP8X":
        width, height = (1 + int.from_bytes(data[at : at + 3], "little") for at in (24, 27))
        has_alpha = bool(flags & 16)
    elif kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        width, height, has_alpha = (
            1 + (bits & 16383),
            1 + (bits >> 14 & 16383),
            bool(bits >> 28 & 1),
        )
    else:
        width, height = (side & 16383 for side in struct.unpack_from("<HH", data, 26))
        has_alpha = False
    return PictureSize(width, height, 3 + has_alpha, 1, _WEBP_BYTES)


def _read_heif_size(data: bytes) -> PictureSize | None:
    """Read the largest picture that a HEIF or AVIF file describes, which is the primary one."""
    places = (match.end() for match in re.finditer(b"ispe\0\0\0\0", data))
    sides = [struct.unpack_from(">II", data, at) for at in places]
    width, height = max(sides, key=math.prod, default=(0, 0))
    depths = re.search(b"pixi\0\0\0\0.(.)", data, re.DOTALL)
    depth = 2 if depths and depths[1] > b"\x08" else 1
    samples = 4 if b"auxiliary:alpha" in data else 3
    return PictureSize(width, height, samples, depth, _HEIF_BYTES * depth) if width else None


_SIZE_READERS: Final[dict[Format, Callable[[bytes], PictureSize | None]]] = {
    "jpeg": _read_jpeg_size,
    "png": _read_png_size,
    "bmp": _read_bmp_size,
    "jp2": _read_jp2_size,
    "webp": _read_webp_size,
    "avif": _read_heif_size,
    "heif": _read_heif_size,
}


def _read_tiff_size(read: _ReadPart, beginning: bytes) -> PictureSize:
    """Read the first directory; a window on it holds only the values stored inside it."""
    stream = TiffStream.open(beginning)
    # A directory cannot begin at offset 0, so a byte goes in front.
    window = b"\0" + read(_DIRECTORY_BYTES, stream.first)
    nearby = TiffStream(window, stream.order, stream.big, 1)
    page = nearby.read_directory(1)
    width, height = nearby.read_number(page, 256, 0), nearby.read_number(page, 257, 0)
    bits = _read_sample_bits(read, nearby)
    depth = max(1, -(-bits // 8))  # 4 and 8 of floating point
    photometric, samples = nearby.read_number(page, 262, 1), nearby.read_number(page, 277, 1)
    samples = 3 if photometric == _PALETTE else samples
    tiled_planes = nearby.read_number(page, 284, 1) == _PLANES and _TILE_WIDTH in page.entries
    is_float = nearby.read_number(page, 339, 1) == _FLOAT
    is_uncommon = bits not in (1, 2, 4, 8, 16) or tiled_planes or is_float
    return PictureSize(width, height, samples, depth, 2 * samples * depth if is_uncommon else 0)


def _read_sample_bits(read: _ReadPart, stream: TiffStream) -> int:
    """Read the bits of the first sample, which may be anywhere in the file; 1 by default."""
    start, layout, inline = (9, "HHQQ", 8) if stream.big else (3, "HHII", 4)
    width = struct.calcsize("=" + layout)
    for entry_offset in range(start, len(stream.data) - width, width):
        entry = stream.data[entry_offset : entry_offset + width]
        tag, kind, count, offset = struct.unpack(stream.order + layout, entry)
        if tag == _BITS and kind == _SHORT:
            value = entry[-inline:][:2] if 2 * count <= inline else read(2, offset)
            return int(struct.unpack(stream.order + "H", value)[0])
        if tag > _BITS:
            break
    return 1
