"""One writer a format: a picture, alpha and metadata to a file, losslessly."""

import struct
from typing import BinaryIO, Final, Protocol

import numpy as np

from archive_colorizer.color.space import chroma_of, luma_of
from archive_colorizer.color.strip_image import Picture
from archive_colorizer.errors import ResultUnwritable
from archive_colorizer.image.codecs import jp2_boxes
from archive_colorizer.image.codecs.jpeg.codec import FAITHFUL, encode_jpeg
from archive_colorizer.image.codecs.planes import with_alpha
from archive_colorizer.image.codecs.png.writer import write_png
from archive_colorizer.image.codecs.tiff.writer import write_tiff
from archive_colorizer.image.raster import Metadata, Raster

__all__ = [
    "Writer",
    "write_bmp",
    "write_jp2",
    "write_jpeg",
    "write_png",
    "write_tiff",
    "write_webp",
]

_METER: Final = 1 / 0.0254
_WEBP_SIDE: Final = 16383
_STRIP: Final = 256


class Writer(Protocol):
    """Encodes `picture` (H x W x 3) and the raster's alpha into an open file that is empty.

    The file can be read and sought in.  Raises ResultUnwritable.
    """

    def __call__(
        self, picture: Picture, raster: Raster, metadata: Metadata, target: BinaryIO
    ) -> None: ...


def write_webp(picture: Picture, raster: Raster, metadata: Metadata, target: BinaryIO) -> None:
    """Lossless WebP, whatever the source was: the lossy kind cannot keep luma."""
    from PIL import Image

    if max(picture.shape[:2]) > _WEBP_SIDE:
        raise ResultUnwritable(f"WebP ends at {_WEBP_SIDE} pixels a side")
    image = Image.fromarray(with_alpha(picture, raster.alpha).whole())
    image.save(
        target,
        "WEBP",
        lossless=True,
        # More effort takes up to nine times as long for 6 percent.
        quality=30,
        method=1,
        exact=True,
        exif=metadata.exif or b"",
        icc_profile=metadata.icc or b"",
        xmp=metadata.xmp or b"",
    )


def write_jpeg(picture: Picture, raster: Raster, metadata: Metadata, target: BinaryIO) -> None:
    """JPEG 4:4:4 at the quality that keeps luma within 1 code value; without alpha."""
    planes = np.empty((3, *picture.shape[:2]), np.uint8)
    top = 0
    for strip in picture.rows(_STRIP):
        rows = slice(top, top + len(strip))
        planes[0, rows] = luma_of(strip)
        codes = np.rint(chroma_of(strip.astype(np.float32) / np.float32(255)) * 255 + 128)
        planes[1:, rows] = np.moveaxis(np.clip(codes, 0, 255), 2, 0)
        top += len(strip)
    target.write(encode_jpeg(planes[0], planes[1], planes[2], metadata, FAITHFUL))


def write_bmp(picture: Picture, raster: Raster, metadata: Metadata, target: BinaryIO) -> None:
    """BMP of 24 or (with alpha) 32 bit; of the metadata it holds the resolution.

    Alpha takes a version 4 header, which names the four channels; with the old header
    readers take it for padding.
    """
    height, width, _ = picture.shape
    bands = 3 if raster.alpha is None else 4
    stride = (width * bands + 3) // 4 * 4
    extra = b""
    if raster.alpha is not None:
        masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
        extra = masks + b"BGRs" + b"\0" * 48
    dots = [round(side * _METER) for side in metadata.dpi or (0, 0)]
    size = 40 + len(extra)
    header = struct.pack(
        "<2sIIIIiiHHIIiiII",
        b"BM",
        14 + size + stride * height,
        0,
        14 + size,
        size,
        width,
        height,
        1,
        8 * bands,
        3 if extra else 0,
        stride * height,
        *dots,
        0,
        0,
    )
    target.write(header + extra)
    below = 14 + size + stride * height
    # The lowest row is the first one in the file.
    for strip in with_alpha(picture, raster.alpha).rows(_STRIP):
        rows = np.zeros((len(strip), stride), np.uint8)
        body = rows[:, : width * bands].reshape(len(strip), width, bands)
        body[..., 2::-1] = strip[::-1, :, :3]
        body[..., 3:] = strip[::-1, :, 3:]
        below -= rows.nbytes
        target.seek(below)
        target.write(rows.data)


def write_jp2(picture: Picture, raster: Raster, metadata: Metadata, target: BinaryIO) -> None:
    """Reversible JPEG 2000 of 8 or 16 bit in a JP2 file."""
    import imagecodecs

    samples = with_alpha(picture, raster.alpha).whole()
    try:
        jp2 = imagecodecs.jpeg2k_encode(
            samples, level=0, codecformat="jp2", reversible=True, numthreads=1
        )
    except (imagecodecs.Jpeg2kError, ValueError) as error:
        raise ResultUnwritable(f"a JPEG 2000 file cannot be written: {error}") from None
    target.write(jp2_boxes.with_metadata(bytes(jp2), metadata, raster.alpha is not None))
