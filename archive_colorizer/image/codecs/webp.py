"""Read and write WebP."""

from typing import BinaryIO, Final

from archive_colorizer.color.strip_image import StripImage
from archive_colorizer.errors import ResultUnwritable
from archive_colorizer.image.codecs import vips
from archive_colorizer.image.codecs.strips import decode_image, open_image
from archive_colorizer.image.raster import DecodeOptions, Metadata, Raster

_WEBP_SIDE: Final = 16383


def write_webp(picture: StripImage, raster: Raster, metadata: Metadata, target: BinaryIO) -> None:
    """Write lossless WebP, because lossy WebP cannot keep luma."""
    from PIL import Image

    if max(picture.shape[:2]) > _WEBP_SIDE:
        raise ResultUnwritable(f"WebP ends at {_WEBP_SIDE} pixels a side")
    image = Image.fromarray(picture.attach_alpha(raster.alpha).assemble())
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


def read_webp(data: bytes, request: DecodeOptions) -> Raster:
    """Read a WebP, or the first picture of an animation."""
    image = open_image(data, "webp", request)
    metadata = vips.extract_metadata(image)
    if vips.get_number(image, "n-pages", 1) > 1:
        metadata = metadata.add_warning("only the first picture of an animation was restored")
    return decode_image(image, metadata, "webp", request)
