"""Which JPEGs can keep their quantised blocks, and the part of them that does."""

import re
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from archive_colorizer.errors import DamagedPicture, UnsupportedPicture
from archive_colorizer.image.codecs.jpeg import segments as parts

Blocks = npt.NDArray[np.int16]
Plane8 = npt.NDArray[np.uint8]

Piece: TypeAlias = tuple[int, memoryview]
"""A marker, and its whole segment as it lies in the file; a scan's with the bits that follow."""

HUFFMAN_FRAMES: Final = frozenset((0xC0, 0xC1, 0xC2))
_CARRIED: Final = HUFFMAN_FRAMES | {parts.DHT, parts.DRI, parts.DQT}
_DROPPED: Final = frozenset((*range(0xE0, 0xF0), 0xFE))
_MARKER: Final = re.compile(rb"\xff+([\x01-\xfe])")
_AFTER_SCAN: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def pieces_of(source: bytes, name: str) -> list[Piece]:
    """The segments that make the picture, without what lies between and behind them.

    Raises UnsupportedPicture for a structure that is not a plain one.
    """
    pieces: list[Piece] = []
    whole, at, scanned = memoryview(source), 2, False
    while found := _MARKER.match(source, at):
        marker, at = found[1][0], found.end() - 2
        if marker == parts.EOI and scanned:
            return pieces
        end = at + 2 + int.from_bytes(source[at + 2 : at + 4], "big")
        if marker == parts.SOS and (follower := _AFTER_SCAN.search(source, end)):
            end, scanned = follower.start(), True
        # Divisors that change between scans are not those that the coefficients had.
        elif marker not in _CARRIED | _DROPPED or (marker == parts.DQT and scanned):
            break
        if marker not in _DROPPED:
            pieces.append((marker, whole[at:end]))
        at = end
    raise UnsupportedPicture(f"{name}: the coefficients of a JPEG so built cannot be kept")


def bare_picture(source: bytes, name: str) -> bytes:
    """A file of nothing but the picture; raises what `pieces_of` raises.

    The C code that reads coefficients is older than the decoder that has judged the file, and
    counts on well-formed metadata.
    """
    return b"".join((b"\xff\xd8", *(piece for _, piece in pieces_of(source, name)), b"\xff\xd9"))


def keepable_sides(source: bytes, bare: bytes, name: str) -> tuple[int, int]:
    """Height and width, of a picture that can go this way."""
    import simplejpeg

    try:
        # The markers that tell YCbCr from RGB are only here; other faults in them matter not.
        height, width, space, _ = simplejpeg.decode_jpeg_header(source, strict=False)
        again = simplejpeg.decode_jpeg_header(bare)
    except (ValueError, KeyError) as error:
        # KeyError: a sampling that libjpeg-turbo has no name for.
        raise UnsupportedPicture(f"{name}: its coefficients cannot be kept ({error})") from None
    frames = [body for marker, body in parts.segments(bare) if marker in HUFFMAN_FRAMES]
    if space not in ("Gray", "YCbCr") or (height, width) != again[:2] or len(frames) != 1:
        raise UnsupportedPicture(f"{name}: the coefficients of a {space} JPEG cannot be kept")
    if frames[0][0] != 8:
        raise UnsupportedPicture(f"{name}: the coefficients of {frames[0][0]} bit cannot be kept")
    factors = [(one >> 4, one & 15) for one in frames[0][7::3]]
    if factors[0] != (max(across for across, _ in factors), max(down for _, down in factors)):
        raise UnsupportedPicture(f"{name}: luma of less than full size cannot be kept")
    return height, width


def chroma_step(cb: Plane8, cr: Plane8, height: int, width: int, name: str) -> int:
    """How many samples of luma there are to one of chroma, across and down: 1 or 2.

    Raises ValueError for planes that are neither ceil(H/2) x ceil(W/2) nor H x W.
    """
    whole, half = (height, width), ((height + 1) // 2, (width + 1) // 2)
    if cb.shape != cr.shape or cb.shape not in (whole, half):
        raise ValueError(f"{name}: chroma of {cb.shape} and {cr.shape} for luma of {whole}")
    return 1 if cb.shape == whole else 2


def check_range(blocks: Blocks, name: str) -> None:
    """Refuse what no encoder makes; to write it overruns buffers in libjpeg-turbo 2.1.0."""
    means, rest = blocks[..., 0, 0], blocks.reshape(-1, 64)[:, 1:]
    if means.min() < -1024 or means.max() > 1023 or rest.min() < -1023 or rest.max() > 1023:
        raise DamagedPicture(f"{name}: its coefficients are out of range")
