"""AVIF and HEIF: by libvips where it has the decoder, else by pillow-heif where that is there."""

import io
import struct
from dataclasses import replace
from typing import Any, Final

import numpy as np

from archive_colorizer.color.space import Plane
from archive_colorizer.errors import DamagedPicture, SourceError, UnsupportedPicture
from archive_colorizer.image.codecs import vips
from archive_colorizer.image.codecs.planes import channel, widened
from archive_colorizer.image.codecs.strips import raster_of
from archive_colorizer.image.metadata.model import Found
from archive_colorizer.image.raster import Format, Raster, Request, check_size

_EXIF_HEADER: Final = b"Exif\0\0"
_STATED: Final = b"colrnclx"
_SRGB_PRIMARIES: Final = frozenset((0, 1, 2))
_HIGH_RANGE: Final = frozenset((16, 18))
_PILLOW_FAULTS: Final = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    RuntimeError,
    SyntaxError,
    struct.error,
)


def read_avif(data: bytes, request: Request) -> Raster:
    """AVIF of 8 to 12 bit."""
    return _read(data, "avif", request)


def read_heif(data: bytes, request: Request) -> Raster:
    """HEIF; HEVC inside of it needs pillow-heif."""
    return _read(data, "heif", request)


def _read(data: bytes, kind: Format, request: Request) -> Raster:
    """The primary picture, which the decoder turns upright by itself."""
    noted = _check_range(data, request.name)
    try:
        image = vips.open_picture(data, kind, request.name)
        check_size(request.name, image.width, image.height, request.max_pixels)
        samples, found = _pixels(image, request.name), _found_in(image)
        if vips.number(image, "n-pages", 1) > 1:
            noted += ("only the primary picture of the file was restored",)
    except UnsupportedPicture as objection:
        samples, found = _by_pillow(data, request, objection)
    found = replace(found, orientation=1, warnings=noted)
    channels = samples.shape[2]
    alpha = channel(samples, channels - 1) if channels in (2, 4) else None
    color: Any = samples[..., :3] if channels >= 3 else channel(samples, 0)
    return raster_of(color, alpha, found, kind, request.profile)


def _pixels(image: Any, name: str) -> Plane:
    """H x W x C of 8 or 16 bit; libvips only shifts 10 and 12 bit up, which dims white."""
    depth = vips.number(image, "bits-per-sample", 8)
    samples = vips.pixels(image, name)
    if samples.dtype == np.uint16 and 8 < depth < 16:
        return widened(samples >> (16 - depth), depth)
    return samples


def _found_in(image: Any) -> Found:
    return Found(
        exif=_exif_of(vips.blob(image, "exif-data")),
        icc=vips.blob(image, "icc-profile-data"),
        xmp=vips.blob(image, "xmp-data"),
    )


def _exif_of(block: bytes | None) -> bytes | None:
    """The TIFF stream in a block that may begin with its own offset and a JPEG's identifier."""
    if not block or block[:4] in (b"II*\0", b"MM\0*"):
        return block or None
    if block.startswith(_EXIF_HEADER):
        return block[len(_EXIF_HEADER) :]
    at = 4 + int.from_bytes(block[:4], "big")
    return block[at:] or block


def _check_range(data: bytes, name: str) -> tuple[str, ...]:
    """Look for a color space stated by numbers, which no decoder here applies.

    Raises UnsupportedPicture for high dynamic range, whose values no viewer shows as they are.
    """
    at = data.find(_STATED, 0, 1 << 16)
    if at < 0 or at + 12 > len(data) or b"colrprof" in data[: 1 << 16]:
        return ()
    primaries, transfer = struct.unpack_from(">HH", data, at + len(_STATED))
    if transfer in _HIGH_RANGE:
        raise UnsupportedPicture(f"{name}: high dynamic range; develop it to a standard one first")
    if primaries not in _SRGB_PRIMARIES:
        return (f"stated color primaries (number {primaries}) were taken for those of sRGB",)
    return ()


def _by_pillow(data: bytes, request: Request, objection: SourceError) -> tuple[Plane, Found]:
    """Raises `objection` where pillow-heif is not installed."""
    try:
        import pillow_heif
    except ImportError:
        raise UnsupportedPicture(
            f"{objection}; with the extra 'heif' (pip install 'archive-colorizer[heif]') more "
            "kinds are read"
        ) from None
    try:
        # Unread until its size is known; 10 and 12 bit come as 16.
        file = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
        width, height = file.size
        check_size(request.name, width, height, request.max_pixels)
        samples = np.asarray(file)
        info = file.info
    except _PILLOW_FAULTS as error:
        raise DamagedPicture(f"{request.name}: cut, corrupt or of a rare kind ({error})") from None
    cube = samples.reshape(*samples.shape[:2], -1)
    return cube, Found(
        exif=_exif_of(info.get("exif")),
        icc=info.get("icc_profile"),
        xmp=info.get("xmp") or None,
    )
