"""Check which JPEGs can keep their quantized blocks, and split them into segments."""

import re
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from archive_colorizer.errors import DamagedPicture, UnsupportedPicture
from archive_colorizer.image.codecs.jpeg import segments as parts

Blocks = npt.NDArray[np.int16]
Plane8 = npt.NDArray[np.uint8]

RawSegment: TypeAlias = tuple[int, memoryview]
"""A marker, and its whole segment as in the file; that of a scan includes its coded bits."""

HUFFMAN_FRAMES: Final = frozenset((0xC0, 0xC1, 0xC2))
_KEPT_MARKERS: Final = HUFFMAN_FRAMES | {parts.DHT, parts.DRI, parts.DQT}
_METADATA_MARKERS: Final = frozenset((*range(0xE0, 0xF0), 0xFE))
_MARKER: Final = re.compile(rb"\xff+([\x01-\xfe])")
_AFTER_SCAN: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def split_segments(source: bytes, name: str) -> list[RawSegment]:
    """Return the segments that encode the picture, without metadata and trailing data.

    Raises UnsupportedPicture for any unusual structure.
    """
    pieces: list[RawSegment] = []
    whole, at, has_scan = memoryview(source), 2, False
    while match := _MARKER.match(source, at):
        marker, at = match[1][0], match.end() - 2
        if marker == parts.EOI and has_scan:
            return pieces
        end = at + 2 + int.from_bytes(source[at + 2 : at + 4], "big")
        if marker == parts.SOS and (follower := _AFTER_SCAN.search(source, end)):
            end, has_scan = follower.start(), True
        # Divisors redefined after a scan do not belong to its coefficients.
        elif marker not in _KEPT_MARKERS | _METADATA_MARKERS or (marker == parts.DQT and has_scan):
            break
        if marker not in _METADATA_MARKERS:
            pieces.append((marker, whole[at:end]))
        at = end
    raise UnsupportedPicture(f"{name}: the coefficients of a JPEG of this structure cannot be kept")


def strip_metadata(source: bytes, name: str) -> bytes:
    """Return the file without metadata; raises what `split_segments` raises.

    The C code that reads coefficients is older than the decoder that has checked the file, and
    relies on well-formed metadata.
    """
    pieces = (piece for _, piece in split_segments(source, name))
    return b"".join((b"\xff\xd8", *pieces, b"\xff\xd9"))


def check_keepable(source: bytes, bare: bytes, name: str) -> tuple[int, int]:
    """Return height and width, or raise UnsupportedPicture if coefficients cannot be kept."""
    import simplejpeg

    try:
        # Only the source has the markers that tell YCbCr from RGB; their other faults are harmless.
        height, width, space, _ = simplejpeg.decode_jpeg_header(source, strict=False)
        again = simplejpeg.decode_jpeg_header(bare)
    except (ValueError, KeyError) as error:
        # KeyError stands for a sampling without a name in libjpeg-turbo.
        raise UnsupportedPicture(f"{name}: its coefficients cannot be kept ({error})") from None
    frames = [body for marker, body in parts.iterate_segments(bare) if marker in HUFFMAN_FRAMES]
    if space not in ("Gray", "YCbCr") or (height, width) != again[:2] or len(frames) != 1:
        raise UnsupportedPicture(f"{name}: the coefficients of a {space} JPEG cannot be kept")
    if frames[0][0] != 8:
        raise UnsupportedPicture(f"{name}: the coefficients of {frames[0][0]} bit cannot be kept")
    factors = [(factor >> 4, factor & 15) for factor in frames[0][7::3]]
    if factors[0] != (max(across for across, _ in factors), max(down for _, down in factors)):
        raise UnsupportedPicture(f"{name}: luma of less than full size cannot be kept")
    return height, width


def compute_chroma_step(cb: Plane8, cr: Plane8, height: int, width: int, name: str) -> int:
    """Return the luma samples per chroma sample in each direction: 1 or 2.

    Raises ValueError for planes that are neither ceil(H/2) x ceil(W/2) nor H x W.
    """
    whole, half = (height, width), ((height + 1) // 2, (width + 1) // 2)
    if cb.shape != cr.shape or cb.shape not in (whole, half):
        raise ValueError(f"{name}: chroma of {cb.shape} and {cr.shape} for luma of {whole}")
    return 1 if cb.shape == whole else 2


def check_range(blocks: Blocks, name: str) -> None:
    """Refuse coefficients that no encoder makes; they overrun buffers in libjpeg-turbo 2.1.0."""
    means, rest = blocks[..., 0, 0], blocks.reshape(-1, 64)[:, 1:]
    if means.min() < -1024 or means.max() > 1023 or rest.min() < -1023 or rest.max() > 1023:
        raise DamagedPicture(f"{name}: its coefficients are out of range")
