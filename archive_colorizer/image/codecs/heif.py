"""Read AVIF and HEIF with libvips, or with pillow-heif if libvips lacks the decoder."""

import io
import struct
from dataclasses import replace
from typing import Any, Final

import numpy as np

from archive_colorizer.color.space import Plane
from archive_colorizer.errors import DamagedPicture, SourceError, UnsupportedPicture
from archive_colorizer.image.codecs import vips
from archive_colorizer.image.codecs.planes import extract_channel, widen_samples
from archive_colorizer.image.codecs.strips import (
    PILLOW_ERRORS,
    build_raster,
    open_image,
)
from archive_colorizer.image.metadata.model import SourceMetadata
from archive_colorizer.image.raster import DecodeOptions, Format, Raster

_NCLX_BOX: Final = b"colrnclx"
_SRGB_PRIMARIES: Final = frozenset((0, 1, 2))
_HDR_TRANSFERS: Final = frozenset((16, 18))


def read_heif(data: bytes, request: DecodeOptions, kind: Format = "heif") -> Raster:
    """Read the primary picture of HEIF or AVIF, of 8 to 12 bit; HEVC inside needs pillow-heif."""
    warnings = _check_range(data, request.name)
    try:
        image = open_image(data, kind, request)
        samples, metadata = _decode_pixels(image, request.name), vips.extract_metadata(image)
        metadata = replace(metadata, exif=_strip_exif_prefix(metadata.exif))
        if vips.get_number(image, "n-pages", 1) > 1:
            warnings += ("only the primary picture of the file was restored",)
    except UnsupportedPicture as error:
        samples, metadata = _decode_with_pillow(data, request, error)
    # The decoders turn pixels upright.
    metadata = replace(metadata, orientation=1, warnings=warnings)
    channels = samples.shape[2]
    alpha = extract_channel(samples, channels - 1) if channels in (2, 4) else None
    color: Any = samples[..., :3] if channels >= 3 else extract_channel(samples, 0)
    return build_raster(color, alpha, metadata, kind, request.profile)


def _decode_pixels(image: Any, name: str) -> Plane:
    """Decode to H x W x C of 8 or 16 bit; libvips only shifts 10 and 12 bit, which dims white."""
    depth = vips.get_number(image, "bits-per-sample", 8)
    samples = vips.decode_pixels(image, name)
    if samples.dtype == np.uint16 and 8 < depth < 16:
        return widen_samples(samples >> (16 - depth), depth)
    return samples


def _strip_exif_prefix(block: bytes | None) -> bytes | None:
    """Return the TIFF stream of a block that may begin with an offset and JPEG's identifier."""
    if not block or block[:4] in (b"II*\0", b"MM\0*"):
        return block or None
    if block.startswith(b"Exif\0\0"):
        return block[6:]
    at = 4 + int.from_bytes(block[:4], "big")
    return block[at:] or block


def _check_range(data: bytes, name: str) -> tuple[str, ...]:
    """Return a warning for a color space stated by numbers, which the decoders ignore.

    Raises UnsupportedPicture for high dynamic range.
    """
    at = data.find(_NCLX_BOX, 0, 1 << 16)
    if at < 0 or at + 12 > len(data) or b"colrprof" in data[: 1 << 16]:
        return ()
    primaries, transfer = struct.unpack_from(">HH", data, at + len(_NCLX_BOX))
    if transfer in _HDR_TRANSFERS:
        raise UnsupportedPicture(f"{name}: high dynamic range; develop it to a standard one first")
    if primaries not in _SRGB_PRIMARIES:
        return (f"stated color primaries (number {primaries}) were taken for those of sRGB",)
    return ()


def _decode_with_pillow(
    data: bytes, request: DecodeOptions, vips_error: SourceError
) -> tuple[Plane, SourceMetadata]:
    """Decode with pillow-heif; repeats the error of libvips if that is not installed."""
    try:
        import pillow_heif
    except ImportError:
        raise UnsupportedPicture(
            f"{vips_error}; with the extra 'heif' (pip install 'archive-colorizer[heif]') more "
            "kinds are read"
        ) from None
    try:
        # Pixels are decoded only after the size is checked; 10 and 12 bit become 16.
        file = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
        width, height = file.size
        request.check_whole(width, height, len(data))
        samples = np.asarray(file)
        info = file.info
    except (*PILLOW_ERRORS, RuntimeError) as error:
        raise DamagedPicture(f"{request.name}: cut, corrupt or of a rare kind ({error})") from None
    exif = _strip_exif_prefix(info.get("exif"))
    metadata = SourceMetadata(exif, info.get("icc_profile"), info.get("xmp") or None)
    return samples.reshape(*samples.shape[:2], -1), metadata
