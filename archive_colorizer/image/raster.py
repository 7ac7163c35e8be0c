"""Raster: a decoded photograph at its own bit depth, upright, with what its file said."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import Plane
from archive_colorizer.errors import DamagedPicture, PictureTooLarge


def check_size(name: str, width: int, height: int, max_pixels: int) -> None:
    """Raise PictureTooLarge above `max_pixels`, DamagedPicture for a picture without pixels."""
    if width <= 0 or height <= 0:
        raise DamagedPicture(f"{name}: its header says {width} x {height} pixels; it is corrupt")
    if width * height > max_pixels:
        raise PictureTooLarge(
            f"{name}: {width} x {height} pixels are more than the limit of "
            f"{max_pixels / 1e6:g} megapixels; raise it with --max-megapixels"
        )


Format: TypeAlias = Literal["jpeg", "png", "tiff", "webp", "bmp", "jp2", "avif", "heif", "raw"]
"""The last three are read and not written."""


ProfileRule: TypeAlias = Literal["srgb", "keep"]
"""Whether the source's color space is converted to sRGB or kept.

CMYK and camera raw have no RGB space of their own and come as sRGB either way.
"""


@dataclass(frozen=True, slots=True)
class Request:
    """How a file is to be read.

    name: of the source, for messages.  max_pixels: a picture with more is refused.
    page: of a file with several pictures, from 0; None for the first, with a warning when
        there are more.
    """

    name: str
    max_pixels: int
    profile: ProfileRule = "srgb"
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Metadata:
    """What travels from the source's file to the result's.

    exif: a TIFF stream (no "Exif\\0\\0" in front), orientation already 1, no thumbnail.
    icc: a profile that fits an RGB picture.
    xmp: an XMP packet, UTF-8.  iptc: IPTC-IIM records.
    dpi: horizontal and vertical resolution in dots per inch.
    comments: keyword and text of each, as in PNG; JPEG's have an empty keyword, and bytes that
        are no UTF-8 as surrogate escapes.
    """

    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    dpi: tuple[float, float] | None = None
    comments: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """A photograph as seen (orientation applied).

    luma: Y' of BT.601, full range, at the source's depth, in the space that `metadata.icc`
        names; for a grey source its own values.
    preview: H x W x 3 uint8 RGB, long side at most 512 pixels, or None for a grey source;
        tells a toned print from a colour photograph.
    alpha: like luma, or None.
    quality: of a JPEG source, 1 to 100; None elsewhere.
    converted: the pixels were brought to sRGB from another color space, so that the codes in
        the source's file are no longer those of `luma`.
    as_coded: `luma` is exactly what the coded bits of a grey baseline JPEG say, so that a result
        can have those bits as they are.
    warnings: what was lost or guessed on reading, as sentences.
    """

    luma: Plane
    format: Format
    preview: npt.NDArray[np.uint8] | None = None
    alpha: Plane | None = None
    metadata: Metadata = field(default_factory=Metadata)
    quality: int | None = None
    converted: bool = False
    as_coded: bool = False
    warnings: tuple[str, ...] = ()
