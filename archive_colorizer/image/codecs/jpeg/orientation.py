"""Pictures kept as stored: a result whose pixels lie as the source's do needs its tag back.

Turning quantised blocks is exact only where the sides are multiples of 8, and decoders round
a turned block differently.  Keeping the pixels as stored and the orientation in the metadata
is exact for every picture.
"""

import re
import struct
from dataclasses import replace
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from archive_colorizer.image.codecs.jpeg import segments as parts
from archive_colorizer.image.metadata import exif as tiff
from archive_colorizer.image.raster import Metadata

_Array = TypeVar("_Array", bound=npt.NDArray[Any])
_PIXEL_SIDES: Final = (40962, 40963)
_XMP_UPRIGHT: Final = re.compile(rb'(\btiff:Orientation(?:="|>))1(?=["<])')


def stored_orientation(source: bytes) -> int:
    """EXIF orientation (1 to 8) of a JPEG; 1 where it says none or its EXIF is broken."""
    for marker, body in parts.segments(source):
        if marker == parts.APP1 and body.startswith(parts.EXIF):
            try:
                stream = tiff.TiffStream.open(body[len(parts.EXIF) :])
                return tiff.orientation_of(stream, stream.directory(stream.first))
            except tiff.BrokenDirectory:
                return 1
    return 1


def as_stored(upright: _Array, orientation: int) -> _Array:
    """The reverse of `metadata.upright`: H x W or H x W x C as seen, laid as in its file."""
    turned: Any = upright
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if orientation >= 5:
        turned = turned.swapaxes(0, 1)
    stored: _Array = np.ascontiguousarray(turned)  # type: ignore[assignment]
    return stored


def tagged(metadata: Metadata, orientation: int) -> Metadata:
    """Metadata of an upright picture, made to fit its pixels as stored.

    Sets the orientation in EXIF and, where it stands there, in XMP; exchanges EXIF's sides
    for the orientations that lie.  EXIF without the tag stays as it is.
    """
    if orientation == 1:
        return metadata
    xmp = metadata.xmp and _XMP_UPRIGHT.sub(rb"\g<1>%d" % orientation, metadata.xmp)
    return replace(metadata, exif=metadata.exif and _tilted(metadata.exif, orientation), xmp=xmp)


def _tilted(exif: bytes, orientation: int) -> bytes:
    stream = tiff.TiffStream.open(exif)
    first = stream.directory(stream.first)
    patched = bytearray(exif)
    entry = first.entries.get(tiff.ORIENTATION)
    if entry is not None and entry.kind == 3:
        struct.pack_into(stream.order + "H", patched, entry.at, orientation)
    pointer = stream.number(first, tiff.EXIF_POINTER, 0)
    if orientation >= 5 and pointer:
        _exchange_sides(stream, pointer, patched)
    return bytes(patched)


def _exchange_sides(stream: tiff.TiffStream, pointer: int, patched: bytearray) -> None:
    try:
        entries = stream.directory(pointer).entries
    except tiff.BrokenDirectory:
        return
    across, down = (entries.get(tag) for tag in _PIXEL_SIDES)
    if across and down and across.kind == down.kind and across.size == down.size:
        patched[across.at : across.at + across.size] = stream.raw(down)
        patched[down.at : down.at + down.size] = stream.raw(across)
