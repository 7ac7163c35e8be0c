"""Read and write BMP and JPEG 2000, which the bundled libvips cannot read."""

import struct
from typing import BinaryIO, Final

import numpy as np

from archive_colorizer.color.space import Plane
from archive_colorizer.color.strip_image import StripImage
from archive_colorizer.errors import DamagedPicture, ResultUnwritable, UnsupportedPicture
from archive_colorizer.image.codecs import jp2_boxes
from archive_colorizer.image.codecs.planes import (
    STRIP_ROWS,
    divide_by_alpha,
    extract_channel,
    widen_samples,
)
from archive_colorizer.image.codecs.strips import PILLOW_ERRORS, Strips, build_raster
from archive_colorizer.image.metadata.model import SourceMetadata
from archive_colorizer.image.raster import DecodeOptions, Metadata, Raster
from archive_colorizer.storage.file_view import FileContent, open_content

_INCHES_PER_METER: Final = 1 / 0.0254
_ENUMERATED_RGB: Final = frozenset((16, 17, 18))
"""sRGB, grey and sYCC, which the decoder converts to RGB."""


def read_bmp(data: FileContent, request: DecodeOptions) -> Raster:
    """Read a BMP of 1 to 32 bit, with or without palette or run lengths."""
    name = request.name
    request.check_whole(*_read_bmp_size(data, name), len(data))
    from PIL import BmpImagePlugin

    try:
        # Image.open would apply its own limit on pixels instead of ours.
        with open_content(data) as file, BmpImagePlugin.BmpImageFile(file) as image:
            image.load()
    except PILLOW_ERRORS as error:
        if str(error).startswith("Unsupported"):
            raise UnsupportedPicture(f"{name}: {error}; convert it to TIFF") from None
        raise DamagedPicture(f"{name}: cut, corrupt or of a rare kind ({error})") from None
    dpi = image.info.get("dpi")
    metadata = SourceMetadata(dpi=dpi if dpi and all(side > 0 for side in dpi) else None)
    has_alpha = image.mode == "RGBA"
    alpha = np.empty((image.height, image.width), np.uint8) if has_alpha else None
    strips = Strips.from_pillow(image).split_alpha(3, alpha)
    return strips.build_raster(alpha, metadata, "bmp", request.profile)


def read_jp2(data: bytes, request: DecodeOptions) -> Raster:
    """Read JPEG 2000, as a JP2 file or a bare codestream, up to 16 bit, grey or RGB."""
    name = request.name
    stream = jp2_boxes.Codestream.read(data, name)
    request.check_whole(stream.width, stream.height, len(data))
    boxes = jp2_boxes.Jp2Boxes.read(data)
    _check_is_supported(stream, boxes, name)
    import imagecodecs

    has_profile = boxes.color[:1] == b"\x02"
    unmanaged = jp2_boxes.replace_profile(data, len(stream.depths)) if has_profile else data
    try:
        samples = imagecodecs.jpeg2k_decode(unmanaged, numthreads=1)
    except (imagecodecs.Jpeg2kError, ValueError, RuntimeError) as error:
        if "not supported" in str(error):
            raise UnsupportedPicture(f"{name}: {error}; convert it to TIFF") from None
        raise DamagedPicture(f"{name}: cut or corrupt ({error})") from None
    if samples.shape[:2] != (stream.height, stream.width) or samples.dtype not in ("u1", "u2"):
        raise UnsupportedPicture(f"{name}: its components differ in size; convert it to TIFF")
    metadata, depth = _read_jp2_metadata(data, boxes), max(stream.depths)
    if depth not in (8, 16):
        whole = 8 if depth < 8 else 16
        metadata = metadata.add_warning(f"samples of {depth} bit were widened to {whole}")
        samples = widen_samples(samples, depth)
    color, alpha = _split_jp2_alpha(samples, boxes, name)
    return build_raster(color, alpha, metadata, "jp2", request.profile)


def _read_bmp_size(data: FileContent, name: str) -> tuple[int, int]:
    if len(data) < 26:
        raise DamagedPicture(f"{name}: a BMP without a header; it is cut")
    layout = "<HH" if int.from_bytes(data[14:18], "little") == 12 else "<ii"
    width, height = struct.unpack(layout, data[18 : 18 + struct.calcsize(layout)])
    return width, abs(height)


def _check_is_supported(stream: jp2_boxes.Codestream, boxes: jp2_boxes.Jp2Boxes, name: str) -> None:
    is_enumerated = boxes.color[:1] == b"\x01"
    number = int.from_bytes(boxes.color[3:7], "big") if is_enumerated else 16
    if stream.signed or max(stream.depths) > 16 or number not in _ENUMERATED_RGB:
        raise UnsupportedPicture(
            f"{name}: JPEG 2000 with signed, deeper than 16 bit, CMYK or Lab samples is not "
            "restored; convert it to TIFF"
        )


def _read_jp2_metadata(data: bytes, boxes: jp2_boxes.Jp2Boxes) -> SourceMetadata:
    note = "a bare codestream cannot hold metadata: the result is a JP2 file"
    return SourceMetadata(
        exif=boxes.uuids.get(jp2_boxes.UUID_EXIF),
        icc=boxes.color[3:] if boxes.color[:1] == b"\x02" else None,
        xmp=boxes.uuids.get(jp2_boxes.UUID_XMP),
        iptc=boxes.uuids.get(jp2_boxes.UUID_IPTC),
        dpi=boxes.read_resolution(),
        warnings=() if data.startswith(jp2_boxes.SIGNATURE) else (note,),
    )


def _split_jp2_alpha(
    samples: Plane, boxes: jp2_boxes.Jp2Boxes, name: str
) -> tuple[Plane, Plane | None]:
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    if channels > 4:
        raise UnsupportedPicture(f"{name}: {channels} channels; convert it to RGB")
    cube = samples.reshape(*samples.shape[:2], channels)
    color = cube[..., :3] if channels >= 3 else cube[..., 0]
    role = boxes.read_alpha_role(channels) if channels in (2, 4) else 0
    if not role:
        return color, None
    alpha = extract_channel(cube, -1)
    return (divide_by_alpha(color, alpha) if role == 1 else color), alpha


def write_bmp(picture: StripImage, raster: Raster, metadata: Metadata, target: BinaryIO) -> None:
    """Write a BMP of 24 or (with alpha) 32 bit; the resolution is its only metadata.

    Alpha needs a version 4 header, which names the four channels; with the old header
    readers take it for padding.
    """
    height, width, _ = picture.shape
    bands = 3 if raster.alpha is None else 4
    stride = (width * bands + 3) // 4 * 4
    extra = b""
    if raster.alpha is not None:
        masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
        extra = masks + b"BGRs" + b"\0" * 48
    dots = [round(side * _INCHES_PER_METER) for side in metadata.dpi or (0, 0)]
    start, size = 54 + len(extra), stride * height
    position = start + size
    target.write(struct.pack("<2sIII", b"BM", position, 0, start))
    layout = start - 14, width, height, 1, 8 * bands, 3 if extra else 0, size, *dots, 0, 0
    target.write(struct.pack("<IiiHHIIiiII", *layout) + extra)
    # The lowest row is the first one in the file.
    for strip in picture.attach_alpha(raster.alpha).iterate_rows(STRIP_ROWS):
        rows = np.zeros((len(strip), stride), np.uint8)
        body = rows[:, : width * bands].reshape(len(strip), width, bands)
        body[..., 2::-1] = strip[::-1, :, :3]
        body[..., 3:] = strip[::-1, :, 3:]
        position -= rows.nbytes
        target.seek(position)
        target.write(rows.data)


def write_jp2(picture: StripImage, raster: Raster, metadata: Metadata, target: BinaryIO) -> None:
    """Write reversible JPEG 2000 of 8 or 16 bit in a JP2 file."""
    import imagecodecs

    samples = picture.attach_alpha(raster.alpha).assemble()
    try:
        jp2 = imagecodecs.jpeg2k_encode(
            samples, level=0, codecformat="jp2", reversible=True, numthreads=1
        )
    except (imagecodecs.Jpeg2kError, ValueError) as error:
        raise ResultUnwritable(f"a JPEG 2000 file cannot be written: {error}") from None
    target.write(jp2_boxes.insert_metadata(bytes(jp2), metadata, raster.alpha is not None))
