"""Read and write PNG with libvips, which encodes the picture while it is computed.

libvips reads pixels from memory or from a file's bytes, and TIFF is what every build of it reads
from bytes sequentially.  So it gets an uncompressed TIFF that is generated while it reads: neither
RGB nor the finished file is ever whole in memory.
"""

import io
import struct
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final, TypeAlias

import numpy as np

from archive_colorizer.color.strip_image import StripImage
from archive_colorizer.errors import ResultUnwritable
from archive_colorizer.image.codecs import vips
from archive_colorizer.image.codecs.png.chunks import hide_metadata
from archive_colorizer.image.codecs.png.metadata import MetadataInserter, read_metadata
from archive_colorizer.image.codecs.strips import decode_image, open_image
from archive_colorizer.image.raster import DecodeOptions, Metadata, Raster
from archive_colorizer.storage.file_view import FileContent

_LEVEL: Final = 3
"""Compression; level 6 gives files 3 to 6 percent smaller for two and a half times the work."""
_FILTERS: Final = {1: "paeth", 2: "sub"}
"""By bytes per sample: if the lower byte is noise, predicting from more neighbors adds to it."""
_STRIP_BYTES: Final = 1 << 18
_SHORT, _LONG, _LONG8 = (3, "H"), (4, "I"), (16, "Q")

_Field: TypeAlias = tuple[int, tuple[int, str], list[int]]
"""Tag, type, and values."""


def open_png(data: FileContent, request: DecodeOptions) -> Any:
    """Open a libvips image as `open_image` does, without what metadata would cost."""
    return open_image(hide_metadata(data, request), "png", request)


def read_png(data: FileContent, request: DecodeOptions) -> Raster:
    """Read a PNG of any depth and kind; libvips expands palettes and transparency."""
    image = open_png(data, request)
    metadata = read_metadata(data, vips.extract_metadata(image), request)
    return decode_image(image, metadata, "png", request)


def write_png(picture: StripImage, raster: Raster, metadata: Metadata, target: BinaryIO) -> None:
    """Write a PNG of 8 or 16 bit; our own metadata chunks keep EXIF byte by byte."""
    library = vips.load_library()
    tiff = _VirtualTiff(picture.attach_alpha(raster.alpha))
    source, sink = library.SourceCustom(), library.TargetCustom()
    errors: list[OSError | MemoryError] = []

    def keep_errors(function: Callable[[Any], Any], fallback: object) -> Callable[[Any], Any]:
        """Keep the errors of a function that libvips calls; they cannot pass through it."""

        def call(argument: Any) -> Any:
            try:
                return function(argument)
            except (OSError, MemoryError) as error:
                errors.append(error)
                return fallback

        return call

    source.on_read(keep_errors(tiff.read, b""))
    source.on_seek(tiff.seek)
    sink.on_write(keep_errors(MetadataInserter(target, metadata).write, 0))
    try:
        _encode(source, sink, _FILTERS[picture.dtype.itemsize])
    except library.Error as error:
        for cause in errors:
            raise cause from None
        raise ResultUnwritable(f"a PNG cannot be written: {error}") from None


def _encode(source: Any, sink: Any, filter_name: str) -> None:
    """Encode in a function of its own, so that the image is freed before its callbacks."""
    image = vips.load_library().Image.tiffload_source(source, access="sequential", fail_on="error")
    image.pngsave_target(sink, compression=_LEVEL, filter=filter_name, keep="none")


class _VirtualTiff:
    """A picture as the bytes of an uncompressed TIFF file, with only a strip in memory.

    The head may be read repeatedly, the pixels once and in order.
    """

    def __init__(self, picture: StripImage) -> None:
        height, width, bands = picture.shape
        depth = picture.dtype.newbyteorder("<")
        rows = max(1, _STRIP_BYTES // (width * bands * depth.itemsize))
        strips = picture.iterate_rows(rows)
        self._head = _build_tiff_head(picture, min(rows, height))
        self._strips = (np.ascontiguousarray(strip, depth).data for strip in strips)
        self._rest = memoryview(b"")
        self._at = 0
        self._next = len(self._head)
        self._size = len(self._head) + picture.nbytes

    def read(self, count: int) -> bytes:
        """Read at most `count` bytes; none at the end, or if the pixels were already read."""
        part = b""
        if self._at < len(self._head):
            part = self._head[self._at : self._at + count]
        elif self._at == self._next:
            if not self._rest:
                self._rest = next(self._strips, memoryview(b"")).cast("B")
            part = bytes(self._rest[:count])
            self._rest = self._rest[count:]
            self._next += len(part)
        self._at += len(part)
        return part

    def seek(self, offset: int, whence: int) -> int:
        """Seek like a file."""
        beginning = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}
        self._at = beginning[whence] + offset
        return self._at


def _build_tiff_head(picture: StripImage, rows: int) -> bytes:
    """Build the bytes of a BigTIFF file before its pixels, which are in strips of `rows` rows."""
    height, width, bands = picture.shape
    row = picture.nbytes // height
    tops = range(0, height, rows)

    def pack(start: int) -> bytes:
        fields: list[_Field] = [
            (256, _LONG, [width]),
            (257, _LONG, [height]),
            (258, _SHORT, [8 * picture.dtype.itemsize] * bands),
            (259, _SHORT, [1]),  # not compressed
            (262, _SHORT, [2]),  # RGB
            (273, _LONG8, [start + top * row for top in tops]),
            (277, _SHORT, [bands]),
            (278, _LONG, [rows]),
            (279, _LONG8, [min(rows, height - top) * row for top in tops]),
            (338, _SHORT, [2]),  # alpha, not premultiplied
        ]
        return b"".join(_pack_directory(fields[: 10 if bands == 4 else 9]))

    return pack(len(pack(0)))


def _pack_directory(fields: list[_Field]) -> Iterator[bytes]:
    """Yield a file's first 16 bytes, its directory, and the values that do not fit into it."""
    yield struct.pack("<2sHHHQQ", b"II", 43, 8, 0, 16, len(fields))
    beyond = 16 + 8 + 20 * len(fields) + 8
    values = b""
    for tag, (kind, letter), numbers in fields:
        packed = struct.pack(f"<{len(numbers)}{letter}", *numbers)
        here = packed
        if len(packed) > 8:
            here = struct.pack("<Q", beyond + len(values))
            values += packed
        yield struct.pack("<HHQ8s", tag, kind, len(numbers), here)
    yield struct.pack("<Q", 0) + values
