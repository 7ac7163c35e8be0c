"""JPEG to JPEG without touching luma: the source's quantised blocks, with chroma added.

Decoding and encoding again moves luma by a rounding error.  Here the DCT coefficients of the
source's luma are read from its file and written into the result's, with the same divisors, so
that every decoder gives the same luma from both.
"""

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from archive_colorizer.errors import (
    DamagedPicture,
    DependencyError,
    OutputError,
    SourceError,
    UnsupportedPicture,
)
from archive_colorizer.image.codecs.jpeg import segments as parts
from archive_colorizer.image.codecs.jpeg.coefficients import (
    HUFFMAN_FRAMES,
    Blocks,
    Plane8,
    bare_picture,
    check_range,
    chroma_step,
    keepable_sides,
)
from archive_colorizer.image.codecs.jpeg.orientation import stored_orientation, tagged
from archive_colorizer.image.codecs.jpeg.scan_transfer import can_carry, carry_scan
from archive_colorizer.image.raster import Metadata

_QUALITY: Final = 95
"""Of chroma, which is smooth and takes little room; finer divisors change nothing to be seen."""
_LIBRARY: Final = "turbo210"
_IJG_CHROMA: Final = np.full((8, 8), 99, dtype=np.int64)
"""ITU-T T.81, table K.2; its other divisors follow."""
_IJG_CHROMA[:4, :4] = ((17, 18, 24, 47), (18, 21, 26, 66), (24, 26, 56, 99), (47, 66, 99, 99))

_BLOCK_ROWS: Final = 32

Divisors = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True, eq=False)
class LumaBlocks:
    """Luma as a file holds it: int16 coefficients, block rows x block columns x 8 x 8.

    divisors: the 8 x 8 quantisation table.  height, width: of the picture, in pixels.
    """

    blocks: Blocks
    divisors: Divisors
    height: int
    width: int


def encode_lossless(
    source: bytes,
    cb: Plane8,
    cr: Plane8,
    metadata: Metadata,
    name: str,
) -> bytes:
    """A baseline JFIF file with the luma coefficients of `source` and chroma from planes.

    cb, cr: uint8, 128 neutral, laid as the source's pixels are stored (`jpeg_turn.as_stored`
    brings what is upright there), ceil(H/2) x ceil(W/2) for 4:2:0 or H x W for 4:4:4.
    metadata: of the upright picture; the source's orientation is put back into it.
    name: for messages.

    Raises UnsupportedPicture for a JPEG that cannot go this way (CMYK, RGB, 12 bit, lossless,
    arithmetic coding, luma that is not the finest plane), DamagedPicture where libjpeg has
    the least to object to, OutputError without room for temporary files, DependencyError without
    jpeglib, where coefficients have to be taken out of the source's scans.
    """
    if can_carry(parts.frame_of(source, name)):
        jpeg = carry_scan(source, cb, cr, name)
        seen = _decoded(bare_picture(source, name), name)
    else:
        seen, jpeg = _with_coefficients(source, (cb, cr), name)
    # Also finds progressive files without all their scans, which decoders smooth over.
    if not np.array_equal(seen, _decoded(jpeg, name)):
        raise UnsupportedPicture(f"{name}: its luma would not come out the same")
    return parts.with_metadata(jpeg, tagged(metadata, stored_orientation(source)))


def _with_coefficients(
    source: bytes, planes: tuple[Plane8, Plane8], name: str
) -> tuple[Plane8, bytes]:
    """The luma that the source shows, and a file with its coefficients and chroma from planes."""
    seen, luma = _open(source, name)
    step = chroma_step(*planes, luma.height, luma.width, name)
    divisors = _chroma_divisors(_QUALITY)
    chroma = tuple(_quantised(plane, divisors) for plane in planes)
    try:
        return seen, _written(luma, chroma, divisors, step)
    except OSError as error:
        raise _said(error, name) from None


def read_luma(source: bytes, name: str) -> LumaBlocks:
    """The quantised luma of a grey or YCbCr JPEG; raises what `encode_lossless` raises."""
    return _open(source, name)[1]


def _open(source: bytes, name: str) -> tuple[Plane8, LumaBlocks]:
    """Luma as it is seen and as it is stored."""
    bare = bare_picture(source, name)
    height, width = keepable_sides(source, bare, name)
    # Before the C code that is older and trusts more.
    seen = _decoded(bare, name)
    opened = _coefficients(
        content=bare,
        height=height,
        width=width,
        block_dims=[[-(-height // 8), -(-width // 8)]],
        # Whatever it is: of a grey picture only the first component is read.
        jpeg_color_space=_jpeglib().JCS_GRAYSCALE,
    )
    try:
        blocks = opened.Y
    except OSError as error:
        raise _said(error, name) from None
    check_range(blocks, name)
    return seen, LumaBlocks(blocks, opened.get_component_qt(0), height, width)


def _said(error: OSError, name: str) -> SourceError | OutputError:
    """jpeglib works on temporary files; its own objections come without a number."""
    if error.errno is None:
        return DamagedPicture(f"{name}: its coefficients cannot be carried over ({error})")
    return OutputError(f"{error}; set TMPDIR to a folder with room for temporary files")


def _decoded(jpeg: bytes, name: str) -> Plane8:
    """Luma, by a decoder that objects to the least fault."""
    import simplejpeg

    try:
        luma: Plane8 = simplejpeg.decode_jpeg(jpeg, "GRAY")[..., 0]
    except ValueError as error:
        raise DamagedPicture(f"{name}: its coefficients cannot be kept ({error})") from None
    return luma


def _chroma_divisors(quality: int) -> Divisors:
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((_IJG_CHROMA * scale + 50) // 100, 1, 255).astype(np.uint16)


@cache
def _cosines() -> npt.NDArray[np.float32]:
    """The matrix of the orthonormal DCT of 8 samples."""
    row, column = np.mgrid[:8, :8]
    matrix: npt.NDArray[np.float32] = np.cos((2 * column + 1) * row * np.pi / 16) / 2
    matrix[0] /= np.sqrt(2)
    return matrix.astype(np.float32)


def _quantised(plane: Plane8, divisors: Divisors) -> Blocks:
    """Coefficients of a plane (rows x columns x 8 x 8), its last row and column repeated."""
    rows, columns = -(-plane.shape[0] // 8), -(-plane.shape[1] // 8)
    cosines, shares = _cosines(), 1 / divisors.astype(np.float32)
    blocks = np.empty((rows, columns, 8, 8), dtype=np.int16)
    for top in range(0, rows, _BLOCK_ROWS):
        strip = plane[8 * top : 8 * (top + _BLOCK_ROWS)]
        count = -(-strip.shape[0] // 8)
        missing = (0, 8 * count - strip.shape[0]), (0, 8 * columns - strip.shape[1])
        samples = np.pad(strip, missing, mode="edge").astype(np.float32) - 128
        down = np.matmul(cosines, samples.reshape(count, 8, 8 * columns))
        both = (down.reshape(-1, 8) @ cosines.T).reshape(count, 8, columns, 8)
        both *= shares[:, None]
        blocks[top : top + count] = np.rint(both, out=both).transpose(0, 2, 1, 3)
    return blocks


def _written(
    luma: LumaBlocks, chroma: tuple[Blocks, ...], divisors: Divisors, factor: int
) -> bytes:
    """A JFIF file; `factor` samples of luma to one of chroma, across and down."""
    made = _coefficients(
        height=luma.height,
        width=luma.width,
        block_dims=[plane.shape[:2] for plane in (luma.blocks, *chroma)],
        samp_factor=[[factor, factor], [1, 1], [1, 1]],
        jpeg_color_space=_jpeglib().JCS_YCbCr,
        Y=luma.blocks,
        Cb=chroma[0],
        Cr=chroma[1],
        qt=np.stack([luma.divisors, divisors]),
        quant_tbl_no=[0, 1, 1],
    )
    with tempfile.TemporaryDirectory(prefix="archive-colorizer-") as folder:
        target = Path(folder) / "lossless.jpg"
        made.write_dct(str(target), flags=["+OPTIMIZE_CODING"])
        return _numbered(target.read_bytes())


def _numbered(jpeg: bytes) -> bytes:
    """Components 1, 2 and 3, as JFIF asks, where jpeglib writes 0, 1 and 2."""
    patched, at = bytearray(jpeg), 2
    for marker, body in parts.segments(jpeg):
        if marker in HUFFMAN_FRAMES:
            patched[at + 10 : at + 19 : 3] = b"\1\2\3"
        at += 4 + len(body)
    patched[at + 5 : at + 11 : 2] = b"\1\2\3"
    return bytes(patched)


def _coefficients(**known: Any) -> Any:
    """A jpeglib picture of which only this much is known."""
    words = "path content height width block_dims samp_factor markers huffmans jpeg_color_space"
    fields = f"{words} progressive_mode num_scans Y Cb Cr K qt quant_tbl_no".split()
    return _jpeglib().DCTJPEG(**{field: known.get(field) for field in fields})


@cache
def _jpeglib() -> Any:
    try:
        import jpeglib  # type: ignore[import-untyped]
    except ImportError:
        raise DependencyError(
            "--luma lossless needs jpeglib, which is not installed; run: pip install jpeglib"
        ) from None
    jpeglib.version.set(_LIBRARY)
    return jpeglib
