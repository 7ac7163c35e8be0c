"""Read and write WebP."""

from dataclasses import replace
from typing import BinaryIO, Final

from archive_colorizer.color.strip_image import Picture
from archive_colorizer.errors import ResultUnwritable
from archive_colorizer.image.codecs import vips
from archive_colorizer.image.codecs.planes import with_alpha
from archive_colorizer.image.codecs.vips_reader import build_raster, extract_metadata, open_image
from archive_colorizer.image.raster import Metadata, Raster, Request

_WEBP_SIDE: Final = 16383


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


def read_webp(data: bytes, request: Request) -> Raster:
    """WebP; of an animation the first picture."""
    image = open_image(data, "webp", request)
    found = extract_metadata(image)
    if vips.number(image, "n-pages", 1) > 1:
        found = replace(found, warnings=("only the first picture of an animation was restored",))
    return build_raster(image, found, "webp", request)
