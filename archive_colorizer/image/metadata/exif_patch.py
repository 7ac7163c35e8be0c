"""Patch EXIF streams in place, so that maker notes keep their bytes and offsets."""

import struct
from typing import Final

from archive_colorizer.image.metadata.exif import (
    EXIF_POINTER,
    INTEROP_POINTER,
    ORIENTATION,
    Directory,
    TiffStream,
)

_COLOR_SPACE: Final = 40961
_PIXEL_SIDES: Final = (40962, 40963)


def make_upright(exif: bytes, as_srgb: bool = False) -> bytes:
    """Adapt an EXIF stream to the upright picture: orientation 1, no thumbnail, sides swapped.

    as_srgb: the pixels were converted to sRGB; a color space that it states becomes sRGB.

    Zeroing its pointer drops the thumbnail, which would show the picture before its restoration.
    Raises BrokenDirectory.
    """
    stream = TiffStream.open(exif)
    first = stream.read_directory(stream.first)
    patched = bytearray(exif)
    _set_orientation(stream, first, 1, patched)
    if first.next:
        struct.pack_into(stream.order + ("Q" if stream.big else "I"), patched, first.next_at, 0)
    if stream.read_orientation(first) >= 5:
        _swap_sides(stream, first, patched)
    return _mark_as_srgb(bytes(patched)) if as_srgb else bytes(patched)


def restore_orientation(exif: bytes, orientation: int) -> bytes:
    """Undo `make_upright` for pixels that stay as stored; the thumbnail remains dropped."""
    stream = TiffStream.open(exif)
    first = stream.read_directory(stream.first)
    patched = bytearray(exif)
    _set_orientation(stream, first, orientation, patched)
    if orientation >= 5:
        _swap_sides(stream, first, patched)
    return bytes(patched)


def _set_orientation(
    stream: TiffStream, first: Directory, orientation: int, patched: bytearray
) -> None:
    entry = first.entries.get(ORIENTATION)
    if entry is not None and entry.kind == 3:
        struct.pack_into(stream.order + "H", patched, entry.value_offset, orientation)


def _swap_sides(stream: TiffStream, first: Directory, patched: bytearray) -> None:
    details = stream.follow(first, EXIF_POINTER)
    across, down = (details.entries.get(tag) if details else None for tag in _PIXEL_SIDES)
    if across and down and across.kind == down.kind and across.size == down.size:
        for entry, source in ((across, down), (down, across)):
            end = entry.value_offset + entry.size
            patched[entry.value_offset : end] = stream.read_bytes(source)


def _mark_as_srgb(exif: bytes) -> bytes:
    """Set the color space of an EXIF stream to 1 (sRGB) if it states one, without moving data."""
    stream = TiffStream.open(exif)
    patched = bytearray(exif)
    details = stream.follow(stream.read_directory(stream.first), EXIF_POINTER)
    if details is None:
        return exif
    space = details.entries.get(_COLOR_SPACE)
    if space is not None and space.kind == 3:
        struct.pack_into(stream.order + "H", patched, space.value_offset, 1)
    exchange = stream.follow(details, INTEROP_POINTER)
    index = exchange.entries.get(1) if exchange else None
    if index is not None and stream.read_bytes(index).startswith(b"R03"):
        patched[index.value_offset : index.value_offset + 3] = b"R98"
    return bytes(patched)
