"""One writer a format: RGB, alpha and metadata to bytes, losslessly."""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Final, Protocol

from archive_colorizer.color.space import Plane
from archive_colorizer.errors import OutputError
from archive_colorizer.media import jp2_boxes, vips
from archive_colorizer.media.planes import with_alpha
from archive_colorizer.media.raster import Metadata, Raster
from archive_colorizer.media.tiff_writer import write_tiff

__all__ = ["Writer", "write_bmp", "write_jp2", "write_png", "write_tiff", "write_webp"]

_PNG_HEADER_END: Final = 33
_INCH: Final = 0.0254
_WEBP_SIDE: Final = 16383


class Writer(Protocol):
    """Encodes `rgb` (H x W x 3) and the raster's alpha; raises OutputError."""

    def __call__(self, rgb: Plane, raster: Raster, metadata: Metadata) -> bytes: ...


def write_png(rgb: Plane, raster: Raster, metadata: Metadata) -> bytes:
    """PNG of 8 or 16 bit; metadata in chunks of its own, so that EXIF keeps its bytes."""
    samples = with_alpha(rgb, raster)
    height, width, bands = samples.shape
    library = vips.library()
    try:
        image = library.Image.new_from_memory(
            samples.data, width, height, bands, "ushort" if samples.itemsize == 2 else "uchar"
        )
        image = image.copy(interpretation="rgb16" if samples.itemsize == 2 else "srgb")
        png = bytes(image.pngsave_buffer(compression=6, filter="paeth", keep="none"))
    except library.Error as error:
        raise OutputError(f"a PNG cannot be written: {error}") from None
    chunks = b"".join(_png_chunks(metadata))
    return png[:_PNG_HEADER_END] + chunks + png[_PNG_HEADER_END:]


def write_webp(rgb: Plane, raster: Raster, metadata: Metadata) -> bytes:
    """Lossless WebP, whatever the source was: the lossy kind cannot keep luma."""
    from PIL import Image

    if max(rgb.shape[:2]) > _WEBP_SIDE:
        raise OutputError(f"WebP ends at {_WEBP_SIDE} pixels a side")
    target = io.BytesIO()
    image = Image.fromarray(with_alpha(rgb, raster))
    image.save(
        target,
        "WEBP",
        lossless=True,
        quality=60,
        method=3,
        exact=True,
        exif=metadata.exif or b"",
        icc_profile=metadata.icc or b"",
        xmp=metadata.xmp or b"",
    )
    return target.getvalue()


def write_bmp(rgb: Plane, raster: Raster, metadata: Metadata) -> bytes:
    """BMP of 24 or (with alpha) 32 bit; of the metadata it holds the resolution."""
    from PIL import Image

    target = io.BytesIO()
    Image.fromarray(with_alpha(rgb, raster)).save(target, "BMP", dpi=metadata.dpi or (96, 96))
    return target.getvalue()


def write_jp2(rgb: Plane, raster: Raster, metadata: Metadata) -> bytes:
    """Reversible JPEG 2000 of 8 or 16 bit in a JP2 file."""
    import imagecodecs

    samples = with_alpha(rgb, raster)
    try:
        jp2 = imagecodecs.jpeg2k_encode(
            samples, level=0, codecformat="jp2", reversible=True, numthreads=1
        )
    except (imagecodecs.Jpeg2kError, ValueError) as error:
        raise OutputError(f"a JPEG 2000 file cannot be written: {error}") from None
    return jp2_boxes.with_metadata(bytes(jp2), metadata, raster.alpha is not None)


def _png_chunks(metadata: Metadata) -> Iterator[bytes]:
    """iCCP, pHYs, eXIf and XMP, in this order: a profile must come before the pixels."""
    if metadata.icc:
        yield _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc, 9))
    if metadata.dpi:
        across, down = (round(side / _INCH) for side in metadata.dpi)
        yield _chunk(b"pHYs", struct.pack(">IIB", across, down, 1))
    if metadata.exif:
        yield _chunk(b"eXIf", metadata.exif)
    if metadata.xmp:
        yield _chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp)


def _chunk(kind: bytes, body: bytes) -> bytes:
    check = zlib.crc32(body, zlib.crc32(kind))
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)
