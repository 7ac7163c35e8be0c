"""Keep a JPEG's pixels as stored, and its orientation in the metadata.

Turning quantized blocks is exact only if the sides are multiples of 8, and decoders round a
turned block differently.  Keeping both as they are is exact for every picture.
"""

import re
import struct
from dataclasses import replace
from typing import Any, Final, TypeVar, cast

import numpy.typing as npt

from archive_colorizer.image.codecs.jpeg import segments as parts
from archive_colorizer.image.metadata import exif as tiff
from archive_colorizer.image.metadata.model import turn_upright
from archive_colorizer.image.raster import Metadata

_Array = TypeVar("_Array", bound=npt.NDArray[Any])
_PIXEL_SIDES: Final = (40962, 40963)
_OPPOSITES: Final = {6: 8, 8: 6}
"""Orientations that a turn in the other direction undoes; the same turn undoes any other."""

_XMP_UPRIGHT: Final = re.compile(rb'(\btiff:Orientation(?:="|>))1(?=["<])')


def read_orientation(source: bytes) -> int:
    """Read the EXIF orientation (1 to 8) of a JPEG; 1 if it is missing or EXIF is broken."""
    for marker, body in parts.iterate_segments(source):
        if marker == parts.APP1 and body.startswith(parts.EXIF):
            try:
                stream = tiff.TiffStream.open(body[len(parts.EXIF) :])
                return tiff.read_orientation(stream, stream.read_directory(stream.first))
            except tiff.BrokenDirectory:
                return 1
    return 1


def turn_as_stored(upright: _Array, orientation: int) -> _Array:
    """Turn an upright H x W or H x W x C array to the orientation in its file."""
    pixels: Any = upright
    stored: Any = turn_upright(pixels, _OPPOSITES.get(orientation, orientation))
    return cast(_Array, stored)


def set_orientation(metadata: Metadata, orientation: int) -> Metadata:
    """Adapt metadata of an upright picture to its pixels as stored.

    Sets the orientation in EXIF and XMP where it is present, and swaps EXIF's sides for
    orientations of 5 and above.
    """
    if orientation == 1:
        return metadata
    xmp = metadata.xmp and _XMP_UPRIGHT.sub(rb"\g<1>%d" % orientation, metadata.xmp)
    exif = metadata.exif and _set_exif_orientation(metadata.exif, orientation)
    return replace(metadata, exif=exif, xmp=xmp)


def _set_exif_orientation(exif: bytes, orientation: int) -> bytes:
    stream = tiff.TiffStream.open(exif)
    first = stream.read_directory(stream.first)
    patched = bytearray(exif)
    entry = first.entries.get(tiff.ORIENTATION)
    if entry is not None and entry.kind == 3:
        struct.pack_into(stream.order + "H", patched, entry.value_offset, orientation)
    pointer = stream.read_number(first, tiff.EXIF_POINTER, 0)
    if orientation >= 5 and pointer:
        _swap_sides(stream, pointer, patched)
    return bytes(patched)


def _swap_sides(stream: tiff.TiffStream, pointer: int, patched: bytearray) -> None:
    try:
        entries = stream.read_directory(pointer).entries
    except tiff.BrokenDirectory:
        return
    across, down = (entries.get(tag) for tag in _PIXEL_SIDES)
    if across and down and across.kind == down.kind and across.size == down.size:
        patched[across.value_offset : across.value_offset + across.size] = stream.read_bytes(down)
        patched[down.value_offset : down.value_offset + down.size] = stream.read_bytes(across)
