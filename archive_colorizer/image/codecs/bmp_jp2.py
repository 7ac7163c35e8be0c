"""Readers of BMP and JPEG 2000, which the libvips at hand does not read."""

import struct
from dataclasses import replace
from typing import BinaryIO, Final

import numpy as np

from archive_colorizer.color.space import Plane
from archive_colorizer.color.strip_image import Picture
from archive_colorizer.errors import DamagedPicture, ResultUnwritable, UnsupportedPicture
from archive_colorizer.image.codecs import jp2_boxes
from archive_colorizer.image.codecs.planes import channel, straight, widened, with_alpha
from archive_colorizer.image.codecs.strips import raster_of, raster_of_strips, strips_of_image
from archive_colorizer.image.metadata.model import Found
from archive_colorizer.image.raster import Metadata, Raster, Request, check_size
from archive_colorizer.storage.file_view import Stored, opened

_ENUMERATED_RGB: Final = frozenset((16, 17, 18))
"""sRGB, grey and sYCC; the decoder brings the last to RGB."""


def read_bmp(data: Stored, request: Request) -> Raster:
    """BMP of 1 to 32 bit with or without palette or run lengths."""
    name = request.name
    check_size(name, *_bmp_size(data, name), request.max_pixels)
    from PIL import BmpImagePlugin

    try:
        # The plugin and not Image.open, whose own limit on pixels is not ours.
        with opened(data) as file, BmpImagePlugin.BmpImageFile(file) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, LookupError, TypeError, struct.error) as error:
        if str(error).startswith("Unsupported"):
            raise UnsupportedPicture(f"{name}: {error}; convert it to TIFF") from None
        raise DamagedPicture(f"{name}: cut, corrupt or of a rare kind ({error})") from None
    dpi = image.info.get("dpi")
    found = Found(dpi=dpi if dpi and all(side > 0 for side in dpi) else None)
    alpha: Plane | None = None
    if image.mode == "RGBA":
        alpha = np.empty((image.height, image.width), np.uint8)
    strips = strips_of_image(image).parted(3, alpha)
    return raster_of_strips(strips, alpha, found, "bmp", request.profile)


def read_jp2(data: bytes, request: Request) -> Raster:
    """JPEG 2000, as a JP2 file or a bare codestream, up to 16 bit, grey or RGB."""
    name = request.name
    stream = jp2_boxes.codestream_of(data, name)
    check_size(name, stream.width, stream.height, request.max_pixels)
    header = jp2_boxes.header_boxes(data)
    _check_kind(stream, header, name)
    import imagecodecs

    managed = header.get(b"colr", b"")[:1] == b"\x02"
    plain = jp2_boxes.without_profile(data, len(stream.depths)) if managed else data
    try:
        samples = imagecodecs.jpeg2k_decode(plain, numthreads=1)
    except (imagecodecs.Jpeg2kError, ValueError, RuntimeError) as error:
        if "not supported" in str(error):
            raise UnsupportedPicture(f"{name}: {error}; convert it to TIFF") from None
        raise DamagedPicture(f"{name}: cut or corrupt ({error})") from None
    if samples.shape[:2] != (stream.height, stream.width) or samples.dtype not in ("u1", "u2"):
        raise UnsupportedPicture(f"{name}: its components differ in size; convert it to TIFF")
    found, depth = _found_in(data, header), max(stream.depths)
    if depth not in (8, 16):
        whole = 8 if depth < 8 else 16
        note = f"samples of {depth} bit were widened to {whole}"
        found = replace(found, warnings=(*found.warnings, note))
        samples = widened(samples, depth)
    color, alpha = _parted(samples, header, name)
    return raster_of(color, alpha, found, "jp2", request.profile)


def _bmp_size(data: Stored, name: str) -> tuple[int, int]:
    if len(data) < 26:
        raise DamagedPicture(f"{name}: a BMP without a header; it is cut")
    layout = "<HH" if int.from_bytes(data[14:18], "little") == 12 else "<ii"
    width, height = struct.unpack(layout, data[18 : 18 + struct.calcsize(layout)])
    return width, abs(height)


def _check_kind(stream: jp2_boxes.Codestream, header: dict[bytes, bytes], name: str) -> None:
    color = header.get(b"colr", b"")
    number = int.from_bytes(color[3:7], "big") if color[:1] == b"\x01" else 16
    if stream.signed or max(stream.depths) > 16 or number not in _ENUMERATED_RGB:
        raise UnsupportedPicture(
            f"{name}: JPEG 2000 with signed, deeper than 16 bit, CMYK or Lab samples is not "
            "restored; convert it to TIFF"
        )


def _found_in(data: bytes, header: dict[bytes, bytes]) -> Found:
    color, uuids = header.get(b"colr", b""), jp2_boxes.uuid_boxes(data)
    note = "a bare codestream cannot hold metadata: the result is a JP2 file"
    return Found(
        exif=uuids.get(jp2_boxes.UUID_EXIF),
        icc=color[3:] if color[:1] == b"\x02" else None,
        xmp=uuids.get(jp2_boxes.UUID_XMP),
        iptc=uuids.get(jp2_boxes.UUID_IPTC),
        dpi=jp2_boxes.resolution(header),
        warnings=() if data.startswith(jp2_boxes.SIGNATURE) else (note,),
    )


def _parted(samples: Plane, header: dict[bytes, bytes], name: str) -> tuple[Plane, Plane | None]:
    """Colour channels and alpha."""
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    if channels > 4:
        raise UnsupportedPicture(f"{name}: {channels} channels; convert it to RGB")
    cube = samples.reshape(*samples.shape[:2], channels)
    color = cube[..., :3] if channels >= 3 else cube[..., 0]
    meaning = jp2_boxes.alpha_channel(header, channels) if channels in (2, 4) else 0
    if not meaning:
        return color, None
    alpha = channel(cube, -1)
    return (straight(color, alpha) if meaning == 1 else color), alpha


_METER: Final = 1 / 0.0254


_STRIP: Final = 256


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
