"""PNG out: libvips encodes a picture while it is painted, and metadata goes in by itself.

libvips takes pixels from memory or from a file's bytes, and what every build of it reads from
bytes without holding all of them is TIFF.  So it is told of an uncompressed TIFF, which is made
while it is read: neither RGB nor the finished file is ever whole.
"""

import io
import struct
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final, TypeAlias

import numpy as np

from archive_colorizer.color.strip_image import Picture
from archive_colorizer.errors import ResultUnwritable
from archive_colorizer.image.codecs import vips
from archive_colorizer.image.codecs.planes import with_alpha
from archive_colorizer.image.codecs.png import chunks as png_chunks
from archive_colorizer.image.raster import Metadata, Raster

_LEVEL: Final = 3
"""Of compression: 6 gives files 3 to 6 percent smaller for two and a half times the work."""
_FILTERS: Final = {1: "paeth", 2: "sub"}
"""By bytes of a sample: where the lower byte is noise, guessing from more neighbors adds to it."""
_STRIP_BYTES: Final = 1 << 18
_SHORT, _LONG, _LONG8 = (3, "H"), (4, "I"), (16, "Q")

_Field: TypeAlias = tuple[int, tuple[int, str], list[int]]
"""Tag, type, and values."""


def write_png(picture: Picture, raster: Raster, metadata: Metadata, target: BinaryIO) -> None:
    """PNG of 8 or 16 bit; metadata in chunks of its own, so that EXIF keeps its bytes."""
    library = vips.library()
    painting = _Painting(with_alpha(picture, raster.alpha))
    source, sink = library.SourceCustom(), library.TargetCustom()
    taken, given = _Call(painting.read, b""), _Call(png_chunks.Insertion(target, metadata).write, 0)
    source.on_read(taken)
    source.on_seek(painting.seek)
    sink.on_write(given)
    try:
        _encode(source, sink, _FILTERS[picture.dtype.itemsize])
    except library.Error as error:
        for one in (taken, given):
            if one.failed is not None:
                raise one.failed from None
        raise ResultUnwritable(f"a PNG cannot be written: {error}") from None


def _encode(source: Any, sink: Any, how: str) -> None:
    """The image ends with this, and so before those that it calls."""
    image = vips.library().Image.tiffload_source(source, access="sequential", fail_on="error")
    image.pngsave_target(sink, compression=_LEVEL, filter=how, keep="none")


class _Call:
    """A function that libvips calls, through which no error could pass: it is kept."""

    def __init__(self, function: Callable[[Any], Any], instead: object) -> None:
        self.failed: OSError | MemoryError | None = None
        self._function = function
        self._instead = instead

    def __call__(self, given: Any) -> Any:
        try:
            return self._function(given)
        except (OSError, MemoryError) as error:
            self.failed = error
            return self._instead


class _Painting:
    """A picture as the bytes of an uncompressed TIFF file, of which only a strip is held.

    The head may be read as often as wanted, the pixels once and in their order.
    """

    def __init__(self, picture: Picture) -> None:
        height, width, bands = picture.shape
        depth = picture.dtype.newbyteorder("<")
        rows = max(1, _STRIP_BYTES // (width * bands * depth.itemsize))
        self._head = _head(picture, min(rows, height))
        self._strips = (np.ascontiguousarray(one, depth).data for one in picture.rows(rows))
        self._left = memoryview(b"")
        self._at = 0
        self._next = len(self._head)
        self._size = len(self._head) + picture.nbytes

    def read(self, count: int) -> bytes:
        """At most so many bytes from here; none at the end, or where pixels are gone."""
        if self._at < len(self._head):
            part = self._head[self._at : self._at + count]
        elif self._at == self._next:
            if not self._left:
                self._left = next(self._strips, memoryview(b"")).cast("B")
            part = bytes(self._left[:count])
            self._left = self._left[count:]
            self._next += len(part)
        else:
            part = b""
        self._at += len(part)
        return part

    def seek(self, offset: int, whence: int) -> int:
        """As that of a file."""
        beginning = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}
        self._at = beginning[whence] + offset
        return self._at


def _head(picture: Picture, rows: int) -> bytes:
    """What stands in a BigTIFF file before its pixels, which lie in strips of so many rows."""
    height, width, bands = picture.shape
    depth = picture.dtype.itemsize
    strip = rows * width * bands * depth
    counts = [strip] * (height // rows)
    if height % rows:
        counts.append(height % rows * width * bands * depth)
    fields: list[_Field] = [
        (256, _LONG, [width]),
        (257, _LONG, [height]),
        (258, _SHORT, [8 * depth] * bands),
        (259, _SHORT, [1]),  # not compressed
        (262, _SHORT, [2]),  # RGB
        (273, _LONG8, [at * strip for at in range(len(counts))]),
        (277, _SHORT, [bands]),
        (278, _LONG, [rows]),
        (279, _LONG8, counts),
    ]
    if bands == 4:
        fields.append((338, _SHORT, [2]))  # alpha, not multiplied in
    size = len(b"".join(_directory(fields)))
    fields[5] = (273, _LONG8, [size + at for at in fields[5][2]])
    return b"".join(_directory(fields))


def _directory(fields: list[_Field]) -> Iterator[bytes]:
    """A file's first 16 bytes, its directory, and the values that do not fit into that."""
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
