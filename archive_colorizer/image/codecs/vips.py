"""The door to libvips: strict reading of JPEG, PNG, TIFF and WebP from memory.

libvips was chosen because it read 829 foreign files without one silent fault.  It is held
to one thread and no cache, since many workers run side by side and no picture comes twice.
"""

import logging
import os
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import numpy as np

from archive_colorizer.color.space import Plane
from archive_colorizer.errors import DamagedPicture, UnsupportedPicture
from archive_colorizer.image.raster import Format
from archive_colorizer.storage.file_view import Stored

_LOADERS: Final[dict[Format, str]] = {
    "jpeg": "jpegload_source",
    "png": "pngload_source",
    "tiff": "tiffload_source",
    "webp": "webpload_source",
    "avif": "heifload_source",
    "heif": "heifload_source",
}
_LIMITS: Final[dict[Format, dict[str, int]]] = {"tiff": {"unlimited": True}}
"""Off, where libvips has some of its own: a strip of more than 50 MB is no fault in a master
that has only one.  Sides are looked at before pixels are read, and a worker has its memory."""
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


@cache
def library() -> Any:
    """The pyvips module, imported on first use because it starts libvips."""
    os.environ.setdefault("VIPS_CONCURRENCY", "1")
    # What matters comes back as an error; warnings would go to stderr, past or by way of logging.
    os.environ.setdefault("VIPS_WARNING", "0")
    logging.getLogger("pyvips").addHandler(logging.NullHandler())
    import pyvips

    pyvips.block_untrusted_set(True)
    pyvips.cache_set_max(0)
    return pyvips


def open_picture(data: Stored, kind: Format, name: str, page: int = 0) -> Any:
    """A pyvips image with its header read and its pixels still undecoded.

    page: from 0, for formats that have pages.
    Raises UnsupportedPicture or DamagedPicture.
    """
    vips = library()
    try:
        loader = getattr(vips.Image, _LOADERS[kind])
        options = _LIMITS.get(kind, {}) | ({"page": page} if page else {})
        source = _source(data)
        image = loader(source, fail_on="error", access="sequential", **options)
        # Else the bytes could go before the pixels are read; pyvips does so with loaders it finds.
        image._references.append(source)
        return image
    except vips.Error as error:
        raise _failure(error, name) from None


def _source(data: Stored) -> Any:
    """Of plain bytes pyvips would make a copy, which may be as large as the picture."""
    source = library().Source
    if isinstance(data, bytes):
        return source.new_from_memory(data)
    # libvips has a descriptor of its own, which shares this place in the file.
    os.lseek(data.descriptor, 0, os.SEEK_SET)
    return source.new_from_descriptor(data.descriptor)


def pixels(image: Any, name: str) -> Plane:
    """Decode: H x W x C, uint8 or uint16.  Raises UnsupportedPicture or DamagedPicture."""
    depth = depth_of(image, name)
    try:
        memory = image.write_to_memory()
    except library().Error as error:
        raise _failure(error, name) from None
    return np.frombuffer(memory, depth).reshape(image.height, image.width, image.bands)


def strips(image: Any, name: str, rows: int) -> Iterator[Plane]:
    """As `pixels`, in strips of so many rows, of which each is decoded when it is asked for."""
    depth = depth_of(image, name)
    vips = library()
    region = vips.Region.new(image)
    for top in range(0, image.height, rows):
        count = min(rows, image.height - top)
        try:
            memory = region.fetch(0, top, image.width, count)
        except vips.Error as error:
            raise _failure(error, name) from None
        yield np.frombuffer(memory, depth).reshape(count, image.width, image.bands)


def depth_of(image: Any, name: str) -> np.dtype[Any]:
    """uint8 or uint16.  Raises UnsupportedPicture for other samples."""
    depth = _DEPTHS.get(image.format)
    if depth is None:
        raise UnsupportedPicture(
            f"{name}: samples of type {image.format} are not restored; convert it to 8 or 16 bit"
        )
    return np.dtype(depth)


def cmyk_to_srgb(image: Any, name: str) -> tuple[Any, str]:
    """A CMYK image in sRGB at its own depth, and the sentence that says by which profile.

    Through its own profile where it has one for CMYK, else through a general one.
    """
    vips = library()
    depth = 16 if image.format == "ushort" else 8
    icc = blob(image, "icc-profile-data") or b""
    own = {"embedded": True} if icc[16:20] == b"CMYK" else {}
    try:
        shown = image.icc_transform(
            "srgb",
            input_profile="cmyk",
            depth=depth,
            intent="relative",
            black_point_compensation=True,
            **own,
        )
    except vips.Error as error:
        raise _failure(error, name) from None
    which = "its own profile" if own else "a general profile, for it has none that fits"
    return shown, f"CMYK was converted to sRGB through {which}"


def blob(image: Any, field: str) -> bytes | None:
    """A metadata field as bytes, or None."""
    return bytes(image.get(field)) if image.get_typeof(field) else None


def number(image: Any, field: str, default: int) -> int:
    """A metadata field as a whole number."""
    return int(image.get(field)) if image.get_typeof(field) else default


def _failure(error: Exception, name: str) -> DamagedPicture | UnsupportedPicture:
    lines = [line.strip() for line in str(getattr(error, "detail", error)).splitlines()]
    detail = next((line for line in reversed(lines) if line), "the data ends early")[:200]
    if any(word in detail for word in _UNSUPPORTED):
        return UnsupportedPicture(f"{name}: a kind of picture that is not read ({detail})")
    return DamagedPicture(f"{name}: cut or corrupt ({detail}); look for a better copy")
