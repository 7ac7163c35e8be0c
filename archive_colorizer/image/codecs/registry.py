"""Decode and encode still pictures, with one table entry per format."""

import io
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, BinaryIO, Final, TypeAlias

import numpy as np

from archive_colorizer.color.space import Plane
from archive_colorizer.color.strip_image import StripImage
from archive_colorizer.errors import NotAPicture, ResultUnwritable, UnsupportedPicture
from archive_colorizer.image.codecs.bmp_jp2 import read_bmp, read_jp2, write_bmp, write_jp2
from archive_colorizer.image.codecs.camera_raw import is_raw, read_raw
from archive_colorizer.image.codecs.heif import read_heif
from archive_colorizer.image.codecs.jpeg.codec import decode_jpeg, write_jpeg
from archive_colorizer.image.codecs.planes import round_to_8_bit
from archive_colorizer.image.codecs.png.codec import read_png, write_png
from archive_colorizer.image.codecs.tiff.reader import read_tiff
from archive_colorizer.image.codecs.tiff.writer import write_tiff
from archive_colorizer.image.codecs.webp import read_webp, write_webp
from archive_colorizer.image.formats import EIGHT_BIT
from archive_colorizer.image.raster import DecodeOptions, Format, Metadata, ProfileRule, Raster
from archive_colorizer.image.signatures import (
    MAGIC_LENGTH,
    identify_foreign_format,
    is_foreign_raw,
    sniff,
)
from archive_colorizer.storage.file_view import FileContent

PictureReader: TypeAlias = Callable[[Any, DecodeOptions], Raster]
"""Decodes bytes, or content of `_FILE_FORMATS`; raises PictureTooLarge, PictureTooCostly,
DamagedPicture or UnsupportedPicture."""

PictureWriter: TypeAlias = Callable[[StripImage, Raster, Metadata, BinaryIO], None]
"""Encodes H x W x 3 and the raster's alpha into an empty open file, readable and seekable; raises
ResultUnwritable."""

READERS: Final[dict[Format, PictureReader]] = {
    "jpeg": decode_jpeg,
    "png": read_png,
    "tiff": read_tiff,
    "webp": read_webp,
    "bmp": read_bmp,
    "jp2": read_jp2,
    "avif": partial(read_heif, kind="avif"),
    "heif": read_heif,
    "raw": read_raw,
}

WRITERS: Final[dict[Format, PictureWriter]] = {
    "jpeg": write_jpeg,
    "png": write_png,
    "tiff": write_tiff,
    "webp": write_webp,
    "bmp": write_bmp,
    "jp2": write_jp2,
}

_FILE_FORMATS: Final[frozenset[Format]] = frozenset(("png", "tiff", "bmp"))
"""Formats whose readers read a file on the disk piece by piece."""


def decode(
    data: FileContent,
    name: str,
    max_pixels: int,
    profile: ProfileRule = "srgb",
    page: int | None = None,
) -> Raster:
    """Decode a picture of any supported format, detected by its content.

    name: for messages.
    profile: "srgb" converts pixels of another color space to sRGB (relative colorimetric with
        black-point compensation) and tags the result as sRGB; "keep" keeps pixels and profile.
    page: from 0, in a file with several pictures; None takes the first, with a warning.
    Raises NotAPicture, DamagedPicture, UnsupportedPicture, or PictureTooLarge or
    PictureTooCostly, before pixels are decoded.
    """
    kind = detect_format(data)
    if kind is not None:
        request = DecodeOptions(name, max_pixels, profile, page)
        return READERS[kind](data if kind in _FILE_FORMATS else data[:], request)
    if not len(data):
        raise NotAPicture(f"{name} is empty")
    foreign_name = identify_foreign_format(data[:MAGIC_LENGTH])
    if foreign_name is not None:
        raise UnsupportedPicture(
            f"{name}: {foreign_name} is not read by this version; convert it to TIFF or PNG first"
        )
    raise NotAPicture(f"{name} holds no picture of a known format")


def detect_format(data: FileContent) -> Format | None:
    """Detect the format of a whole file by its content; None if it is not supported."""
    beginning = data[:MAGIC_LENGTH]
    kind = sniff(beginning)
    is_camera_raw = is_raw(data) if kind == "tiff" else is_foreign_raw(beginning)
    return "raw" if is_camera_raw else kind


def encode(
    rgb: Plane,
    raster: Raster,
    metadata: Metadata,
    format: Format | None = None,  # noqa: A002
) -> bytes:
    """Encode `rgb` (H x W x 3) like `write`, in `format` or the raster's own, to bytes."""
    target = io.BytesIO()
    write(StripImage.from_samples(rgb), raster, metadata, format or raster.format, target)
    return target.getvalue()


def write(
    picture: StripImage, raster: Raster, metadata: Metadata, kind: Format, target: BinaryIO
) -> None:
    """Write `picture` (H x W x 3) and the raster's alpha to an empty open file.

    target: readable and seekable.
    Lossless in every format except JPEG.  For JPEG, WebP and BMP 16 bit are rounded to 8; JPEG
    leaves alpha out (`formats.choose_format` announces this).  `jpeg.codec.encode_jpeg` writes
    JPEG from planes, without RGB.  Raises ResultUnwritable if the format cannot hold the picture.
    """
    if kind not in WRITERS:
        raise ResultUnwritable(f"{kind} is not written; choose another format with --format")
    if kind in EIGHT_BIT and picture.dtype == np.uint16:
        alpha = None if raster.alpha is None else round_to_8_bit(raster.alpha)
        deep, raster = picture, replace(raster, alpha=alpha)
        picture = StripImage(
            deep.shape, np.dtype(np.uint8), lambda: map(round_to_8_bit, deep.strips())
        )
    WRITERS[kind](picture, raster, metadata, target)
