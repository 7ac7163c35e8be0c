"""Hold a decoded photograph: upright, at its own bit depth, with its file's metadata."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import Plane
from archive_colorizer.image.budget import Budget

Format: TypeAlias = Literal["jpeg", "png", "tiff", "webp", "bmp", "jp2", "avif", "heif", "raw"]
"""The last three are read and not written."""

ProfileRule: TypeAlias = Literal["srgb", "keep"]
"""Whether the source's color space is converted to sRGB or kept.

CMYK and camera raw have no RGB space of their own and become sRGB in both cases.
"""


@dataclass(frozen=True, slots=True)
class DecodeOptions(Budget):
    """How a file is decoded, and what that may cost.

    page: counted from 0; None for the first, with a warning when there are more.
    """

    profile: ProfileRule = "srgb"
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Metadata:
    """The metadata that a result takes over from its source.

    exif: a TIFF stream (no "Exif\\0\\0" in front), orientation already 1, no thumbnail.
    icc: a profile that fits an RGB picture.
    xmp: an XMP packet, UTF-8.  iptc: IPTC-IIM records.
    dpi: horizontal and vertical resolution.
    comments: pairs of keyword and text, as in PNG; a JPEG's have an empty keyword, and invalid
        UTF-8 as surrogate escapes.
    """

    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    dpi: tuple[float, float] | None = None
    comments: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """A decoded photograph with its orientation applied.

    luma: H x W, Y' of BT.601, full range, at the source's depth, in the space that
        `metadata.icc` names; a grey source's own values.
    preview: H x W x 3 uint8 RGB, long side at most 512 pixels, or None for a grey source; it
        distinguishes toned prints from color photographs.
    alpha: shape and type of luma.
    quality: 1 to 100 for a JPEG source, None otherwise.
    converted: the pixels were converted to sRGB, so `luma` differs from the file's codes.
    as_coded: `luma` is exactly what a grey baseline JPEG codes, so its bits can be copied.
    warnings: sentences on what was lost or guessed during decoding.
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
