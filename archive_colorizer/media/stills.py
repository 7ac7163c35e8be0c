"""Still pictures in and out, one table entry a format."""

from typing import Final

import numpy as np
import numpy.typing as npt

from archive_colorizer.errors import NotAPicture, UnsupportedPicture
from archive_colorizer.media.bitmaps import read_bmp, read_jp2
from archive_colorizer.media.jpeg import decode_jpeg
from archive_colorizer.media.magic import foreign, sniff
from archive_colorizer.media.raster import Format, Metadata, ProfileRule, Raster, Request
from archive_colorizer.media.readers import Reader, read_png, read_tiff, read_webp
from archive_colorizer.media.tiff_tags import count_pages
from archive_colorizer.media.writers import (
    Writer,
    write_bmp,
    write_jp2,
    write_png,
    write_tiff,
    write_webp,
)

__all__ = ["READERS", "WRITERS", "Reader", "Writer", "decode", "encode", "pages", "sniff"]

READERS: Final[dict[Format, Reader]] = {
    "jpeg": decode_jpeg,
    "png": read_png,
    "tiff": read_tiff,
    "webp": read_webp,
    "bmp": read_bmp,
    "jp2": read_jp2,
}
WRITERS: Final[dict[Format, Writer]] = {
    "png": write_png,
    "tiff": write_tiff,
    "webp": write_webp,
    "bmp": write_bmp,
    "jp2": write_jp2,
}


def decode(
    data: bytes, name: str, max_pixels: int, profile: ProfileRule = "srgb", page: int | None = None
) -> Raster:
    """Decode a picture of any promised format, found by its content; `name` is for messages.

    profile: "srgb" converts pixels of another color space to sRGB (relative colorimetric with
    black-point compensation) and tags the result so; "keep" leaves them and their profile.
    page: of a file with several pictures, from 0; see `pages`.  None takes the first and says
    so when there are more.
    Raises NotAPicture, DamagedPicture, UnsupportedPicture, or PictureTooLarge (from the
    header, before pixels are decoded).
    """
    kind = sniff(data)
    if kind is not None:
        return READERS[kind](data, Request(name, max_pixels, profile, page))
    if not data:
        raise NotAPicture(f"{name} is empty")
    known = foreign(data)
    if known is not None:
        raise UnsupportedPicture(
            f"{name}: {known} is not read by this version; convert it to TIFF or PNG first"
        )
    raise NotAPicture(f"{name} holds no picture of a known format")


def pages(data: bytes) -> int:
    """How many pictures a file holds that can be restored one by one: 1 but for TIFF.

    Looks at directories only; a file that is no picture counts as one page.
    """
    return count_pages(data) if sniff(data) == "tiff" else 1


def encode(
    rgb: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], raster: Raster, metadata: Metadata
) -> bytes:
    """A file in the raster's format: `rgb` H x W x 3, with the raster's alpha.

    Lossless in every format, so that luma is kept; WebP and BMP hold 8 bit only.  JPEG has a
    way of its own (`jpeg.encode_jpeg`).
    """
    return WRITERS[raster.format](rgb, raster, metadata)
