"""Add chroma to a JPEG and keep its quantized luma blocks.

Decoding and encoding again changes luma by a rounding error.  Here the DCT coefficients of the
source's luma are copied into the result with the same divisors, so that every decoder gives the
same luma from both.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import ByteArray
from archive_colorizer.errors import (
    DamagedPicture,
    DependencyError,
    OutputError,
    SourceError,
    UnsupportedPicture,
)
from archive_colorizer.image.codecs.jpeg import metadata as jpeg_metadata
from archive_colorizer.image.codecs.jpeg import segments as parts
from archive_colorizer.image.codecs.jpeg.scan_transfer import carry_scan, compute_chroma_step
from archive_colorizer.image.raster import Metadata
from archive_colorizer.storage.temporary import make_temporary_folder

_QUALITY: Final = 95
"""Quality of chroma, which is smooth; finer divisors change nothing visible."""
_IJG_CHROMA: Final = np.full((8, 8), 99, dtype=np.int64)
"""ITU-T T.81, table K.2."""
_IJG_CHROMA[:4, :4] = ((17, 18, 24, 47), (18, 21, 26, 66), (24, 26, 56, 99), (47, 66, 99, 99))
_CHROMA_DIVISORS: Final = ((_IJG_CHROMA * (200 - 2 * _QUALITY) + 50) // 100).astype(np.uint16)
_BLOCK_ROWS: Final = 32

_Blocks = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True, eq=False)
class _LumaBlocks:
    """Luma as stored: int16 coefficients, block rows x block columns x 8 x 8.

    divisors: the 8 x 8 quantization table.  height, width: of the picture, in pixels.
    """

    blocks: _Blocks
    divisors: npt.NDArray[np.uint16]
    height: int
    width: int


def encode_lossless(
    source: bytes, cb: ByteArray, cr: ByteArray, metadata: Metadata, name: str
) -> bytes:
    """Encode a baseline JFIF file with the luma coefficients of `source` and chroma planes.

    cb, cr: uint8, 128 neutral, oriented as the source's pixels are stored (see
        `turn_as_stored`), ceil(H/2) x ceil(W/2) for 4:2:0 or H x W for 4:4:4.
    metadata: of the upright picture; gets the source's orientation.

    Raises UnsupportedPicture for unsuitable JPEGs (CMYK, RGB, 12 bit, lossless, arithmetic coding,
    luma that is not the finest plane), DamagedPicture for the slightest fault, OutputError without
    room for temporary files, DependencyError if the missing jpeglib is needed.
    """
    if parts.JpegFrame.read(source, name).is_grey_baseline:
        jpeg = carry_scan(source, cb, cr, name)
        source_luma = _decode_luma(_strip_metadata(source, name), name)
    else:
        source_luma, jpeg = _encode_with_coefficients(source, (cb, cr), name)
    # Also detects progressive files with missing scans, which decoders smooth over.
    if not np.array_equal(source_luma, _decode_luma(jpeg, name)):
        raise UnsupportedPicture(f"{name}: its luma would not come out the same")
    stored = jpeg_metadata.set_orientation(metadata, jpeg_metadata.read_orientation(source))
    return jpeg_metadata.insert_metadata(jpeg, stored)


def _encode_with_coefficients(
    source: bytes, planes: tuple[ByteArray, ByteArray], name: str
) -> tuple[ByteArray, bytes]:
    """Return the decoded luma, and a file with its coefficients and the chroma planes."""
    source_luma, luma = _open(source, name)
    step = compute_chroma_step(*planes, luma.height, luma.width, name)
    try:
        return source_luma, _write_jpeg(luma, tuple(map(_compute_coefficients, planes)), step)
    except OSError as error:
        raise _translate_error(error, name) from None


def read_luma(source: bytes, name: str) -> _LumaBlocks:
    """Read the quantized luma of a grey or YCbCr JPEG; raises what `encode_lossless` raises."""
    return _open(source, name)[1]


def _open(source: bytes, name: str) -> tuple[ByteArray, _LumaBlocks]:
    """Return luma decoded and as stored."""
    bare = _strip_metadata(source, name)
    height, width = _check_keepable(source, bare, name)
    # Decode before the older C code, which checks less.
    decoded = _decode_luma(bare, name)
    opened = _build_picture(
        content=bare,
        height=height,
        width=width,
        block_dims=[[-(-height // 8), -(-width // 8)]],
        # As grey, only the first component is read.
        jpeg_color_space=_load_jpeglib().JCS_GRAYSCALE,
    )
    try:
        blocks = opened.Y
    except OSError as error:
        raise _translate_error(error, name) from None
    check_range(blocks, name)
    return decoded, _LumaBlocks(blocks, opened.get_component_qt(0), height, width)


def _strip_metadata(source: bytes, name: str) -> bytes:
    """Return the file without metadata; raises what `segments.split_segments` raises.

    The C code that reads coefficients is older than the decoder that has checked the file, and
    relies on well-formed metadata.
    """
    pieces = (piece for _, piece in parts.split_segments(source, name))
    return b"".join((b"\xff\xd8", *pieces, b"\xff\xd9"))


def _check_keepable(source: bytes, bare: bytes, name: str) -> tuple[int, int]:
    """Return height and width, or raise UnsupportedPicture if coefficients cannot be kept."""
    import simplejpeg

    try:
        # Only the source has the markers that tell YCbCr from RGB; their other faults are harmless.
        height, width, space, _ = simplejpeg.decode_jpeg_header(source, strict=False)
        again = simplejpeg.decode_jpeg_header(bare)
    except (ValueError, KeyError) as error:
        # KeyError stands for a sampling without a name in libjpeg-turbo.
        raise UnsupportedPicture(f"{name}: its coefficients cannot be kept ({error})") from None
    frames = [
        body for marker, body in parts.iterate_segments(bare) if marker in parts.HUFFMAN_FRAMES
    ]
    if space not in ("Gray", "YCbCr") or (height, width) != again[:2] or len(frames) != 1:
        raise UnsupportedPicture(f"{name}: the coefficients of a {space} JPEG cannot be kept")
    if frames[0][0] != 8:
        raise UnsupportedPicture(f"{name}: the coefficients of {frames[0][0]} bit cannot be kept")
    factors = [(factor >> 4, factor & 15) for factor in frames[0][7::3]]
    if factors[0] != (max(across for across, _ in factors), max(down for _, down in factors)):
        raise UnsupportedPicture(f"{name}: luma of less than full size cannot be kept")
    return height, width


def check_range(blocks: _Blocks, name: str) -> None:
    """Refuse coefficients that no encoder makes; they overrun buffers in libjpeg-turbo 2.1.0."""
    means, rest = blocks[..., 0, 0], blocks.reshape(-1, 64)[:, 1:]
    if means.min() < -1024 or means.max() > 1023 or rest.min() < -1023 or rest.max() > 1023:
        raise DamagedPicture(f"{name}: its coefficients are out of range")


def _translate_error(error: OSError, name: str) -> SourceError | OutputError:
    """Translate errors of jpeglib, which works on temporary files; its own have no errno."""
    if error.errno is None:
        return DamagedPicture(f"{name}: its coefficients cannot be carried over ({error})")
    return OutputError(f"{error}; set TMPDIR to a folder with room for temporary files")


def _decode_luma(jpeg: bytes, name: str) -> ByteArray:
    """Decode luma with a decoder that refuses the slightest fault."""
    import simplejpeg

    try:
        luma: ByteArray = simplejpeg.decode_jpeg(jpeg, "GRAY")[..., 0]
    except ValueError as error:
        raise DamagedPicture(f"{name}: its coefficients cannot be kept ({error})") from None
    return luma


@cache
def _compute_cosines() -> npt.NDArray[np.float32]:
    """Compute the matrix of the orthonormal DCT of 8 samples."""
    row, column = np.mgrid[:8, :8]
    matrix: npt.NDArray[np.float32] = np.cos((2 * column + 1) * row * np.pi / 16) / 2
    matrix[0] /= np.sqrt(2)
    return matrix.astype(np.float32)


def _compute_coefficients(plane: ByteArray) -> _Blocks:
    """Compute rows x columns x 8 x 8 coefficients; the last row and column are repeated."""
    rows, columns = -(-plane.shape[0] // 8), -(-plane.shape[1] // 8)
    cosines, shares = _compute_cosines(), 1 / _CHROMA_DIVISORS.astype(np.float32)
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


def _write_jpeg(luma: _LumaBlocks, chroma: tuple[_Blocks, ...], factor: int) -> bytes:
    """Write a JFIF file with `factor` luma samples per chroma sample in each direction."""
    picture = _build_picture(
        height=luma.height,
        width=luma.width,
        block_dims=[plane.shape[:2] for plane in (luma.blocks, *chroma)],
        samp_factor=[[factor, factor], [1, 1], [1, 1]],
        jpeg_color_space=_load_jpeglib().JCS_YCbCr,
        Y=luma.blocks,
        Cb=chroma[0],
        Cr=chroma[1],
        qt=np.stack([luma.divisors, _CHROMA_DIVISORS]),
        quant_tbl_no=[0, 1, 1],
    )
    with make_temporary_folder() as folder:
        target = folder / "lossless.jpg"
        picture.write_dct(str(target), flags=["+OPTIMIZE_CODING"])
        return _set_component_ids(target.read_bytes())


def _set_component_ids(jpeg: bytes) -> bytes:
    """Number the components 1, 2 and 3, as JFIF requires; jpeglib writes 0, 1 and 2."""
    patched, at = bytearray(jpeg), 2
    for marker, body in parts.iterate_segments(jpeg):
        if marker in parts.HUFFMAN_FRAMES:
            patched[at + 10 : at + 19 : 3] = b"\1\2\3"
        at += 4 + len(body)
    patched[at + 5 : at + 11 : 2] = b"\1\2\3"
    return bytes(patched)


def _build_picture(**values: Any) -> Any:
    """Build a jpeglib picture; fields that are not given are None."""
    words = "path content height width block_dims samp_factor markers huffmans jpeg_color_space"
    fields = f"{words} progressive_mode num_scans Y Cb Cr K qt quant_tbl_no".split()
    return _load_jpeglib().DCTJPEG(**{field: values.get(field) for field in fields})


@cache
def _load_jpeglib() -> Any:
    try:
        import jpeglib  # type: ignore[import-untyped]
    except ImportError:
        raise DependencyError(
            "--luma lossless needs jpeglib, which is not installed; run: pip install jpeglib"
        ) from None
    jpeglib.version.set("turbo210")
    return jpeglib
