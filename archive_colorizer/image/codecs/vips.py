"""Read JPEG, PNG, TIFF, WebP and AVIF strictly with libvips.

libvips read 829 foreign files without a silent fault.  It runs with one thread and no cache,
since many workers run in parallel and no picture is read twice.
"""

import logging
import os
from collections.abc import Iterator
from functools import cache
from typing import Any, Final, Protocol

import numpy as np

from archive_colorizer.color.space import Plane
from archive_colorizer.errors import DamagedPicture, UnsupportedPicture
from archive_colorizer.image.metadata.model import SourceMetadata
from archive_colorizer.image.raster import Format
from archive_colorizer.storage.file_view import FileContent, FileView

_LOADERS: Final[dict[Format, str]] = {
    "jpeg": "jpegload_source",
    "png": "pngload_source",
    "tiff": "tiffload_source",
    "webp": "webpload_source",
    "avif": "heifload_source",
    "heif": "heifload_source",
}
_UNSUPPORTED: Final = (
    "nsupported",
    "not configured",
    "not supported",
    "not been built in",
    "not a whole number",
    "unknown compression",
    "bad labq",
)
_DEPTHS: Final = {"uchar": np.uint8, "ushort": np.uint16}


class PictureStream(Protocol):
    """Content that libvips reads by calling; a read at the end returns nothing."""

    def __len__(self) -> int: ...

    def read(self, count: int) -> bytes: ...

    def seek(self, offset: int, whence: int) -> int: ...


@cache
def load_library() -> Any:
    """The pyvips module, imported on first use because it starts libvips."""
    os.environ.setdefault("VIPS_CONCURRENCY", "1")
    # Failures come back as errors; warnings would only go to stderr.
    os.environ.setdefault("VIPS_WARNING", "0")
    logging.getLogger("pyvips").addHandler(logging.NullHandler())
    import pyvips

    pyvips.block_untrusted_set(True)
    pyvips.cache_set_max(0)
    return pyvips


def open_picture(data: FileContent | PictureStream, kind: Format, name: str, page: int = 0) -> Any:
    """Open a pyvips image: its header is read, its pixels are not yet decoded.

    page: from 0, of a TIFF.
    Raises UnsupportedPicture or DamagedPicture.
    """
    vips = load_library()
    try:
        loader = getattr(vips.Image, _LOADERS[kind])
        # A master may have a single strip of more than 50 MB, which libvips would refuse; sides
        # are checked before pixels are read, and a worker's memory is limited.
        options = {"unlimited": True, "page": page} if kind == "tiff" else {}
        source = _open_source(data)
        image = loader(source, fail_on="error", access="sequential", **options)
        # Keep the bytes alive until the pixels are read; pyvips does so with its own loaders.
        image._references.append(source)
        return image
    except vips.Error as error:
        raise _translate_error(error, name) from None


def _open_source(data: FileContent | PictureStream) -> Any:
    """Open a source without the copy that pyvips would make of plain bytes."""
    source = load_library().Source
    if isinstance(data, bytes):
        return source.new_from_memory(data)
    if not isinstance(data, FileView):
        stream = load_library().SourceCustom()
        stream.on_read(data.read)
        stream.on_seek(data.seek)
        return stream
    # libvips duplicates the descriptor, which shares its position in the file.
    os.lseek(data.descriptor, 0, os.SEEK_SET)
    return source.new_from_descriptor(data.descriptor)


def decode_pixels(image: Any, name: str) -> Plane:
    """Decode to H x W x C, uint8 or uint16.  Raises UnsupportedPicture or DamagedPicture."""
    depth = get_depth(image, name)
    try:
        memory = image.write_to_memory()
    except load_library().Error as error:
        raise _translate_error(error, name) from None
    return np.frombuffer(memory, depth).reshape(image.height, image.width, image.bands)


def iterate_strips(image: Any, name: str, rows: int) -> Iterator[Plane]:
    """Decode strips of `rows` rows on demand; raises what `decode_pixels` raises."""
    depth = get_depth(image, name)
    vips = load_library()
    region = vips.Region.new(image)
    for top in range(0, image.height, rows):
        count = min(rows, image.height - top)
        try:
            memory = region.fetch(0, top, image.width, count)
        except vips.Error as error:
            raise _translate_error(error, name) from None
        yield np.frombuffer(memory, depth).reshape(count, image.width, image.bands)


def get_depth(image: Any, name: str) -> np.dtype[Any]:
    """Return uint8 or uint16; raises UnsupportedPicture for other samples."""
    depth = _DEPTHS.get(image.format)
    if depth is None:
        raise UnsupportedPicture(
            f"{name}: samples of type {image.format} are not restored; convert it to 8 or 16 bit"
        )
    return np.dtype(depth)


def convert_cmyk(image: Any, name: str) -> tuple[Any, str]:
    """Convert CMYK to sRGB at its own depth; return a sentence that names the profile.

    Uses the embedded profile if it is one for CMYK, otherwise a general one.
    """
    vips = load_library()
    depth = 16 if image.format == "ushort" else 8
    icc = _get_blob(image, "icc-profile-data") or b""
    embedded = icc[16:20] == b"CMYK"
    try:
        converted = image.icc_transform(
            "srgb",
            input_profile="cmyk",
            depth=depth,
            intent="relative",
            black_point_compensation=True,
            embedded=embedded,
        )
    except vips.Error as error:
        raise _translate_error(error, name) from None
    profile = "its own profile" if embedded else "a general profile, for it has none that fits"
    return converted, f"CMYK was converted to sRGB through {profile}"


def extract_metadata(image: Any) -> SourceMetadata:
    """Return the EXIF, ICC, XMP and IPTC blocks that libvips found in the file."""
    names = ("exif", "icc-profile", "xmp", "iptc")
    exif, icc, xmp, iptc = (_get_blob(image, f"{name}-data") for name in names)
    return SourceMetadata(exif, icc, xmp, iptc)


def _get_blob(image: Any, field: str) -> bytes | None:
    return bytes(image.get(field)) if image.get_typeof(field) else None


def get_number(image: Any, field: str, default: int) -> int:
    """Return a metadata field, or `default`."""
    return int(image.get(field)) if image.get_typeof(field) else default


def _translate_error(error: Exception, name: str) -> DamagedPicture | UnsupportedPicture:
    lines = [line.strip() for line in str(getattr(error, "detail", error)).splitlines()]
    detail = next((line for line in reversed(lines) if line), "the data ends early")[:200]
    if any(word in detail for word in _UNSUPPORTED):
        return UnsupportedPicture(f"{name}: a kind of picture that is not read ({detail})")
    return DamagedPicture(f"{name}: cut or corrupt ({detail}); look for a better copy")
