"""Still pictures in and out, one table entry a format."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO, Final, Protocol

import numpy as np

from archive_colorizer.color.space import Plane
from archive_colorizer.color.strip_image import Picture
from archive_colorizer.errors import (
    NotAPicture,
    ResultUnwritable,
    UnsupportedPicture,
)
from archive_colorizer.image.codecs.bmp_jp2 import read_bmp, read_jp2, write_bmp, write_jp2
from archive_colorizer.image.codecs.camera_raw import is_raw, read_raw
from archive_colorizer.image.codecs.heif import read_avif, read_heif
from archive_colorizer.image.codecs.jpeg.codec import decode_jpeg, write_jpeg
from archive_colorizer.image.codecs.planes import rounded
from archive_colorizer.image.codecs.png.reader import read_png
from archive_colorizer.image.codecs.png.writer import write_png
from archive_colorizer.image.codecs.tiff.reader import read_tiff
from archive_colorizer.image.codecs.tiff.tags import count_pages
from archive_colorizer.image.codecs.tiff.writer import write_tiff
from archive_colorizer.image.codecs.webp import read_webp, write_webp
from archive_colorizer.image.formats import EIGHT_BIT
from archive_colorizer.image.raster import (
    Format,
    Metadata,
    ProfileRule,
    Raster,
    Request,
)
from archive_colorizer.image.signatures import MAGIC_LENGTH, foreign, is_foreign_raw, sniff
from archive_colorizer.storage.file_view import Stored

__all__ = [
    "READERS",
    "WRITERS",
    "Reader",
    "Writer",
    "decode",
    "encode",
    "kind_of",
    "pages",
    "sniff",
    "write",
]


class Reader(Protocol):
    """Decodes one format; raises PictureTooLarge, DamagedPicture or UnsupportedPicture."""

    def __call__(self, data: bytes, request: Request) -> Raster: ...


class Writer(Protocol):
    """Encodes `picture` (H x W x 3) and the raster's alpha into an open file that is empty.

    The file can be read and sought in.  Raises ResultUnwritable.
    """

    def __call__(
        self, picture: Picture, raster: Raster, metadata: Metadata, target: BinaryIO
    ) -> None: ...


READERS: Final[dict[Format, Reader]] = {
    "jpeg": decode_jpeg,
    "png": read_png,
    "tiff": read_tiff,
    "webp": read_webp,
    "bmp": read_bmp,
    "jp2": read_jp2,
    "avif": read_avif,
    "heif": read_heif,
    "raw": read_raw,
}


WRITERS: Final[dict[Format, Writer]] = {
    "jpeg": write_jpeg,
    "png": write_png,
    "tiff": write_tiff,
    "webp": write_webp,
    "bmp": write_bmp,
    "jp2": write_jp2,
}


_IN_PLACE: Final[dict[Format, Callable[[Stored, Request], Raster]]] = {
    "png": read_png,
    "tiff": read_tiff,
    "bmp": read_bmp,
}
"""Those that take what they need from a file on the disk."""


def decode(
    data: Stored, name: str, max_pixels: int, profile: ProfileRule = "srgb", page: int | None = None
) -> Raster:
    """Decode a picture of any promised format, found by its content; `name` is for messages.

    profile: "srgb" converts pixels of another color space to sRGB (relative colorimetric with
    black-point compensation) and tags the result so; "keep" leaves them and their profile.
    page: of a file with several pictures, from 0; see `pages`.  None takes the first and says
    so when there are more.
    Raises NotAPicture, DamagedPicture, UnsupportedPicture, or PictureTooLarge (from the
    header, before pixels are decoded).
    """
    kind = kind_of(data)
    if kind is not None:
        request = Request(name, max_pixels, profile, page)
        in_place = _IN_PLACE.get(kind)
        return in_place(data, request) if in_place else READERS[kind](data[:], request)
    if not len(data):
        raise NotAPicture(f"{name} is empty")
    known = foreign(data[:MAGIC_LENGTH])
    if known is not None:
        raise UnsupportedPicture(
            f"{name}: {known} is not read by this version; convert it to TIFF or PNG first"
        )
    raise NotAPicture(f"{name} holds no picture of a known format")


def kind_of(data: Stored) -> Format | None:
    """The format of a whole file, by its content, or None when it is of no format read here."""
    beginning = data[:MAGIC_LENGTH]
    kind = sniff(beginning)
    is_camera_raw = is_raw(data) if kind == "tiff" else is_foreign_raw(beginning)
    return "raw" if is_camera_raw else kind


def pages(data: Stored) -> int:
    """How many pictures a file holds that can be restored one by one: 1 but for TIFF.

    Looks at directories only; a file that is no picture counts as one page.
    """
    return count_pages(data) if kind_of(data) == "tiff" else 1


def encode(
    rgb: Plane,
    raster: Raster,
    metadata: Metadata,
    format: Format | None = None,  # noqa: A002
) -> bytes:
    """As `write`, to bytes: a file of `rgb` (H x W x 3) in `format` or the raster's own."""
    target = io.BytesIO()
    write(Picture.of(rgb), raster, metadata, format or raster.format, target)
    return target.getvalue()


def write(
    picture: Picture, raster: Raster, metadata: Metadata, kind: Format, target: BinaryIO
) -> None:
    """Write a file of `picture` (H x W x 3), with the raster's alpha, to an empty open file.

    target: can be read and sought in.
    Lossless in every format but JPEG, so that luma is kept.  JPEG, WebP and BMP hold 8 bit, to
    which 16 are rounded; JPEG leaves alpha out (`formats.result_format` says such things
    beforehand).  JPEG from planes, which needs no RGB, is `jpeg.encode_jpeg`.  Raises
    ResultUnwritable when the format cannot hold the picture.
    """
    if kind not in WRITERS:
        raise ResultUnwritable(f"{kind} is not written; choose another format with --format")
    if kind in EIGHT_BIT and picture.dtype == np.uint16:
        alpha = None if raster.alpha is None else rounded(raster.alpha)
        deep, raster = picture, replace(raster, alpha=alpha)
        picture = Picture(deep.shape, np.dtype(np.uint8), lambda: map(rounded, deep.strips()))
    WRITERS[kind](picture, raster, metadata, target)
