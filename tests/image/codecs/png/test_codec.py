"""PNG from a picture that is painted while it is encoded; what all writers do: test_stills."""

import errno
import io
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from archive_colorizer.color.strip_image import StripImage
from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.image.codecs.png.codec import write_png
from archive_colorizer.image.raster import Metadata, Raster
from tests.image.files import deep, small

RASTER = Raster(small()[..., 1], "png")


def failing(error):
    def strips():
        yield small()[:50]
        raise error

    return StripImage(small().shape, small().dtype, strips)


class Full(io.BytesIO):
    def write(self, _):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_goes_wrong_with_painting_is_told(capfd):
    with pytest.raises(MemoryError, match="no room"):
        write_png(failing(MemoryError("no room")), RASTER, Metadata(), io.BytesIO())
    assert capfd.readouterr().err == ""


def test_what_goes_wrong_with_the_file_is_told(capfd):
    with pytest.raises(OSError, match="No space left"):
        write_png(StripImage.from_samples(small()), RASTER, Metadata(), Full())
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("depth", "filters"), [(np.uint8, {4}), (np.uint16, {1})])
def test_rows_are_filtered_as_their_depth_wants(depth, filters):
    """By the left neighbor at 16 bit: smaller files for less work, and read back row by row."""
    samples = small() if depth == np.uint8 else deep(small())
    data = stills.encode(samples, Raster(samples[..., 1], "png"), Metadata())
    pixels, at = b"", 8
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        pixels += data[at + 8 : at + 8 + size] if kind == b"IDAT" else b""
        at += 12 + size
    row = 1 + samples.shape[1] * 3 * samples.itemsize
    assert set(zlib.decompress(pixels)[::row]) == filters


@pytest.mark.parametrize("sides", [(1, 1), (1, 4000), (4000, 1), (700, 300)])
@pytest.mark.parametrize("alpha", [True, False])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_every_pixel_arrives_whatever_the_strips(sides, alpha, depth):
    samples = np.resize(small() if depth == np.uint8 else deep(small()), (*sides, 3))
    raster = Raster(samples[..., 1], "png", alpha=samples[..., 0] if alpha else None)
    data = stills.encode(samples, raster, Metadata())
    again = stills.decode(data, "a.png", 10**7)
    assert again.luma.dtype == depth
    assert (again.alpha is None) == (not alpha)
    if depth == np.uint8:
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data)))[..., :3], samples)


def test_several_threads_read_the_picture_in_its_order():
    program = (
        "import numpy as np, io\n"
        "from PIL import Image\n"
        "from archive_colorizer.image.codecs import registry as stills\n"
        "from archive_colorizer.image.raster import Metadata, Raster\n"
        "samples = np.random.default_rng(0).integers(0, 255, (1500, 1300, 3), np.uint8)\n"
        "data = stills.encode(samples, Raster(samples[..., 1], 'png'), Metadata())\n"
        "assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), samples)\n"
    )
    threads = {**os.environ, "VIPS_CONCURRENCY": "4"}
    subprocess.run([sys.executable, "-c", program], env=threads, check=True)
