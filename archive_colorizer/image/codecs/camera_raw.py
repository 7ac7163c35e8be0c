"""Develop camera raw to 16 bit sRGB with the optional library rawpy."""

import io
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import numpy as np

from archive_colorizer.color.space import Plane
from archive_colorizer.errors import DamagedPicture, SourceError, UnsupportedPicture
from archive_colorizer.image.codecs.strips import build_raster
from archive_colorizer.image.codecs.tiff import tags as tiff_tags
from archive_colorizer.image.metadata import exif as tiff
from archive_colorizer.image.metadata.model import SourceMetadata
from archive_colorizer.image.raster import DecodeOptions, Raster
from archive_colorizer.image.signatures import can_read_raw
from archive_colorizer.storage.file_view import FileContent

_COMPRESSION, _PHOTOMETRIC, _SUB_DIRECTORIES, _DNG_VERSION = 259, 262, 330, 50706
_SENSOR: Final = frozenset((32803, 34892))
"""Photometric interpretations: a color filter array, and raw values without one."""

_RAW_COMPRESSIONS: Final = frozenset((32767, 34713))
"""Compression schemes of Sony and Nikon."""


def is_raw(data: FileContent) -> bool:
    """Tell a camera's raw file from a plain TIFF; both begin alike."""
    if data[8:11] == b"CR\x02":
        return True
    try:
        stream = tiff.TiffStream.open(data)
        first = stream.read_directory(stream.first)
    except tiff.BrokenDirectory:
        return False
    return _DNG_VERSION in first.entries or any(
        stream.read_number(directory, _PHOTOMETRIC, 0) in _SENSOR
        or stream.read_number(directory, _COMPRESSION, 1) in _RAW_COMPRESSIONS
        for directory in (first, *_read_sub_directories(stream, first))
    )


def read_raw(data: bytes, request: DecodeOptions) -> Raster:
    """Develop with the camera's white balance, without brightening, upright.

    Raises PictureTooLarge before decoding, DamagedPicture, and UnsupportedPicture if rawpy is
    not installed or does not know the camera.
    """
    if not can_read_raw():
        raise UnsupportedPicture(
            f"{request.name}: a camera raw file needs the extra 'raw' "
            "(pip install 'archive-colorizer[raw]'), or develop it to TIFF first"
        )
    samples = _develop(data, request)
    return build_raster(samples, None, _read_metadata(data, request), "raw", request.profile)


def _develop(data: bytes, request: DecodeOptions) -> Plane:
    import rawpy

    try:
        with rawpy.imread(io.BytesIO(data)) as raw:
            sizes = raw.sizes
            request.check_whole(sizes.width, sizes.height, len(data))
            samples: Any = raw.postprocess(
                output_bps=16,
                output_color=rawpy.ColorSpace.sRGB,
                use_camera_wb=True,
                no_auto_bright=True,
                gamma=(2.4, 12.92),  # the curve of sRGB
            )
    except SourceError:
        raise
    except rawpy.LibRawFileUnsupportedError as error:
        raise UnsupportedPicture(
            f"{request.name}: a raw file of an unknown kind ({error}); develop it to TIFF"
        ) from None
    except (rawpy.LibRawError, ValueError, OSError, RuntimeError) as error:
        raise DamagedPicture(f"{request.name}: cut or corrupt ({error})") from None
    return np.ascontiguousarray(samples)


def _read_metadata(data: bytes, request: DecodeOptions) -> SourceMetadata:
    note = "camera raw was developed to 16 bit sRGB"
    try:
        stream = tiff.TiffStream.open(data)
        page = tiff_tags.TiffPage(stream, stream.read_directory(stream.first), 0, 1)
    except tiff.BrokenDirectory:
        losses = "the metadata of this kind of raw file is not carried over"
        return SourceMetadata(converted=True, warnings=(note, losses))
    metadata = page.read_metadata(request)
    return replace(metadata, icc=None, orientation=1, converted=True, warnings=(note,))


def _read_sub_directories(stream: tiff.TiffStream, first: tiff.Directory) -> list[tiff.Directory]:
    directories = []
    for offset in stream.read_numbers(first.entries.get(_SUB_DIRECTORIES), 8):
        with suppress(tiff.BrokenDirectory):
            directories.append(stream.read_directory(int(offset)))
    return directories
