"""Camera raw, through the optional library rawpy: developed to 16 bit sRGB."""

import io
from typing import Any, Final

import numpy as np

from archive_colorizer.color.space import Plane
from archive_colorizer.errors import DamagedPicture, SourceError, UnsupportedPicture
from archive_colorizer.image.codecs.strips import raster_of
from archive_colorizer.image.codecs.tiff import tags as tiff_tags
from archive_colorizer.image.metadata import exif as tiff
from archive_colorizer.image.metadata.model import Found
from archive_colorizer.image.raster import Raster, Request, check_size
from archive_colorizer.image.signatures import raw_is_readable
from archive_colorizer.storage.file_view import Stored

_PHOTOMETRIC, _SUB_DIRECTORIES, _DNG_VERSION = 262, 330, 50706
_SENSOR: Final = frozenset((32803, 34892))
"""Photometric interpretations: a color filter array, and raw values without one."""

_RAW_COMPRESSIONS: Final = frozenset((32767, 34713))
"""Those of Sony and Nikon."""

_SRGB_CURVE: Final = (2.4, 12.92)


def is_raw(data: Stored) -> bool:
    """Whether a file that begins like a TIFF is a camera's raw file."""
    if data[8:11] == b"CR\x02":
        return True
    try:
        stream = tiff.TiffStream.open(data)
        first = stream.directory(stream.first)
    except tiff.BrokenDirectory:
        return False
    return _DNG_VERSION in first.entries or any(
        stream.number(one, _PHOTOMETRIC, 0) in _SENSOR
        or stream.number(one, tiff_tags.COMPRESSION, 1) in _RAW_COMPRESSIONS
        for one in (first, *_below(stream, first))
    )


def read_raw(data: bytes, request: Request) -> Raster:
    """Develop with the camera's white balance, without brightening, upright.

    Raises PictureTooLarge from the header, DamagedPicture, and UnsupportedPicture when rawpy
    is not installed or does not know the camera.
    """
    if not raw_is_readable():
        raise UnsupportedPicture(
            f"{request.name}: a camera raw file needs the extra 'raw' "
            "(pip install 'archive-colorizer[raw]'), or develop it to TIFF first"
        )
    samples = _developed(data, request)
    return raster_of(samples, None, _found_in(data, request), "raw", request.profile)


def _developed(data: bytes, request: Request) -> Plane:
    import rawpy

    try:
        with rawpy.imread(io.BytesIO(data)) as raw:
            sizes = raw.sizes
            check_size(request.name, sizes.width, sizes.height, request.max_pixels)
            samples: Any = raw.postprocess(
                output_bps=16,
                output_color=rawpy.ColorSpace.sRGB,
                use_camera_wb=True,
                no_auto_bright=True,
                gamma=_SRGB_CURVE,
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


def _found_in(data: bytes, request: Request) -> Found:
    note = "camera raw was developed to 16 bit sRGB"
    try:
        stream = tiff.TiffStream.open(data)
        page = tiff_tags.Page(stream, stream.directory(stream.first), 0, 1)
    except tiff.BrokenDirectory:
        lost = "the metadata of this kind of raw file is not carried over"
        return Found(converted=True, warnings=(note, lost))
    found = tiff_tags.found_in(page, request)
    return Found(
        exif=found.exif,
        xmp=found.xmp,
        iptc=found.iptc,
        dpi=found.dpi,
        orientation=1,
        converted=True,
        warnings=(note,),
    )


def _below(stream: tiff.TiffStream, first: tiff.Directory) -> list[tiff.Directory]:
    found = []
    for at in stream.numbers(first.entries.get(_SUB_DIRECTORIES))[:8]:
        try:
            found.append(stream.directory(int(at)))
        except tiff.BrokenDirectory:
            continue
    return found
