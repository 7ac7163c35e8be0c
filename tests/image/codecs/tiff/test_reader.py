"""TIFF of rare kinds and of many pages, written by tifffile or by hand, judged by the samples."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from archive_colorizer.color.space import compute_luma
from archive_colorizer.errors import (
    DamagedPicture,
    PictureTooLarge,
    SourceError,
    UnsupportedPicture,
)
from archive_colorizer.image.codecs import registry as stills
from tests.image.files import LIMIT, deep, saved, small, small_grey, tiff


def packed(samples, bits, photometric=1, extra=()):
    """A TIFF of `bits` a sample, packed from the high end, each row filled to whole bytes."""
    height, width = samples.shape[:2]
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    rows = []
    for row in samples.reshape(height, -1):
        loose = ((row[:, None].astype(np.uint32) >> np.arange(bits)[::-1]) & 1).astype(np.uint8)
        rows.append(np.packbits(loose.reshape(-1)).tobytes())
    body = b"".join(rows)
    tags = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, bits),
        (259, 3, 1, 1),
        (262, 3, 1, photometric),
        (273, 4, 1, 8),
        (277, 3, 1, channels),
        (278, 4, 1, height),
        (279, 4, 1, len(body)),
        *extra,
    ]
    at = 8 + len(body) + len(body) % 2
    directory = struct.pack("<H", len(tags))
    tail = b""
    for tag, kind, count, value in tags:
        if tag == 258 and channels > 1:
            place = at + 2 + 12 * len(tags) + 4
            directory += struct.pack("<HHII", tag, 3, channels, place)
            tail = struct.pack(f"<{channels}H", *[bits] * channels)
        else:
            directory += struct.pack("<HHII", tag, kind, count, value)
    return (
        b"II*\0" + struct.pack("<I", at) + body.ljust(at - 8, b"\0") + directory + b"\0" * 4 + tail
    )


def levels(samples, bits):
    return deep(samples) >> (16 - bits)


def spread(samples, bits):
    """What the reader should make of `levels`: white stays white."""
    top = 255 if bits < 8 else 65535
    return samples.astype(np.uint32) * top // ((1 << bits) - 1)


@pytest.mark.parametrize("bits", [3, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15])
@pytest.mark.parametrize("white", [0, 1])
def test_odd_depths_of_grey(bits, white):
    source = levels(small_grey(), bits)
    raster = stills.decode(packed(source, bits, white), "x", LIMIT)
    expected = spread(source, bits)
    top = 255 if bits < 8 else 65535
    assert raster.luma.dtype == (np.uint8 if bits < 8 else np.uint16)
    assert np.array_equal(raster.luma, expected if white else top - expected)


@pytest.mark.parametrize("bits", [2, 4, 10, 12, 14])
def test_odd_depths_of_rgb(bits):
    source = levels(small(), bits)
    raster = stills.decode(packed(source, bits, 2), "x", LIMIT)
    depth = np.uint8 if bits < 8 else np.uint16
    assert np.array_equal(raster.luma, compute_luma(spread(source, bits).astype(depth)))


@pytest.mark.parametrize("depth", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("color", [True, False])
def test_floating_point_from_0_to_1(depth, color):
    source = deep(small() if color else small_grey())
    data = tiff((source / 65535).astype(depth), photometric="rgb" if color else "minisblack")
    raster = stills.decode(data, "x", LIMIT)
    expected = compute_luma(source) if color else source
    least = 32 if depth is np.float16 else 0
    assert raster.luma.dtype == np.uint16
    assert np.abs(raster.luma.astype(int) - expected).max() <= least


def test_floating_point_is_clipped_a_little_and_refused_by_its_range():
    ramp = np.linspace(-0.02, 1.03, 400, dtype=np.float32).reshape(20, 20)
    luma = stills.decode(tiff(ramp, photometric="minisblack"), "x", LIMIT).luma
    assert (luma.min(), luma.max()) == (0, 65535)
    for off, said in ((ramp * 100, "from -2 to 103"), (ramp * np.nan, "nan")):
        with pytest.raises(UnsupportedPicture, match=said):
            stills.decode(tiff(off, photometric="minisblack"), "x", LIMIT)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
def test_separate_planes_in_tiles(depth, compression):
    rgb = small() if depth is np.uint8 else deep(small())
    stored = np.ascontiguousarray(np.moveaxis(rgb, 2, 0))
    data = tiff(
        stored, photometric="rgb", planarconfig="separate", tile=(64, 64), compression=compression
    )
    assert np.array_equal(stills.decode(data, "x", LIMIT).luma, compute_luma(rgb))


@pytest.mark.parametrize("kind", ["group3", "group4", "tiff_ccitt"])
def test_fax(kind):
    bits = small_grey() > 128
    data = saved(bits, "TIFF", compression=kind)
    assert np.array_equal(stills.decode(data, "x", LIMIT).luma > 0, bits)


@pytest.mark.parametrize("compression", ["jpeg", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("tile", [None, (64, 64)])
def test_compressions_agree_with_pillow(compression, tile):
    name = compression.removeprefix("tiff_").removeprefix("adobe_")
    options = {"compressionargs": {"level": 95}} if name == "jpeg" else {}
    data = tiff(small(), photometric="rgb", compression=name, tile=tile, **options)
    with Image.open(io.BytesIO(data)) as image:
        expected = compute_luma(np.asarray(image.convert("RGB")))
    off = np.abs(stills.decode(data, "x", LIMIT).luma.astype(int) - expected).max()
    assert off <= (2 if name == "jpeg" else 0)


def test_a_strip_that_is_a_whole_master():
    grain = np.random.default_rng(1).integers(0, 65536, (5500, 5500), dtype=np.uint16)
    data = tiff(grain, photometric="minisblack", compression="zlib", rowsperstrip=5500)
    assert len(data) > 50_000_000
    assert np.array_equal(stills.decode(data, "x", grain.size).luma, grain)


def album(**first):
    """Three pages of different pictures and depths."""
    target = io.BytesIO()
    import tifffile

    with tifffile.TiffWriter(target) as file:
        file.write(small_grey(), photometric="minisblack", metadata=None, **first)
        file.write(deep(small()), photometric="rgb", metadata=None)
        file.write((deep(small_grey()) / 65535).astype(np.float32), photometric="minisblack")
    return target.getvalue()


def test_every_page_is_read_for_itself():
    data = album()
    with pytest.raises(UnsupportedPicture, match="its last is 3"):
        stills.decode(data, "x", LIMIT, page=3)
    lumas = [stills.decode(data, "x", LIMIT, page=page).luma for page in range(3)]
    assert np.array_equal(lumas[0], small_grey())
    assert np.array_equal(lumas[1], compute_luma(deep(small())))
    assert np.array_equal(lumas[2], deep(small_grey()))


def test_only_a_page_not_asked_for_is_missed():
    (said,) = stills.decode(album(), "x", LIMIT).warnings
    assert said == "only the first page of 3 was restored"
    assert stills.decode(album(), "x", LIMIT, page=0).warnings == ()
    for page in (3, -1):
        with pytest.raises(UnsupportedPicture, match="no page"):
            stills.decode(album(), "x", LIMIT, page=page)


def test_reduced_copies_are_no_pages():
    data = album(subfiletype=1)
    with pytest.raises(UnsupportedPicture, match="its last is 2"):
        stills.decode(data, "x", LIMIT, page=2)
    assert np.array_equal(stills.decode(data, "x", LIMIT).luma, compute_luma(deep(small())))
    assert np.array_equal(stills.decode(data, "x", LIMIT, page=1).luma, deep(small_grey()))


def test_a_chain_that_bites_its_tail_ends():
    data = bytearray(tiff(small_grey(), photometric="minisblack"))
    first = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[first : first + 2], "little")
    data[first + 2 + 12 * count :][:4] = b""
    end = first + 2 + 12 * count
    data[end : end + 4] = first.to_bytes(4, "little")
    with pytest.raises(UnsupportedPicture, match="its last is 1"):
        stills.decode(bytes(data), "x", LIMIT, page=1)
    assert np.array_equal(stills.decode(bytes(data), "x", LIMIT).luma, small_grey())


@pytest.mark.parametrize("page", [None, 0, 1])
def test_every_other_format_has_one_page(page):
    black = np.zeros((9, 9), np.uint8)
    raster = stills.decode(saved(black, "PNG"), "x", LIMIT, page=page)
    assert np.array_equal(raster.luma, black) and raster.warnings == ()


@pytest.mark.parametrize("file", [b"", b"II*\0", b"x"])
def test_what_has_no_pages_is_refused(file):
    with pytest.raises(SourceError):
        stills.decode(file, "x", LIMIT)


def rare_files():
    yield packed(levels(small(), 12), 12, 2)
    yield tiff((deep(small()) / 65535).astype(np.float32), photometric="rgb", compression="zlib")
    stored = np.ascontiguousarray(np.moveaxis(small(), 2, 0))
    yield tiff(stored, photometric="rgb", planarconfig="separate", tile=(64, 64))


@pytest.mark.parametrize("number", range(3))
def test_a_rare_file_that_is_cut_never_gives_a_picture(number):
    whole = list(rare_files())[number]
    for share in (0.1, 0.4, 0.7, 0.95):
        with pytest.raises((DamagedPicture, UnsupportedPicture, PictureTooLarge)):
            stills.decode(whole[: int(len(whole) * share)], "x", LIMIT)


@pytest.mark.parametrize("number", range(3))
def test_a_rare_file_with_a_false_size_is_refused(number):
    whole = bytearray(list(rare_files())[number])
    first = int.from_bytes(whole[4:8], "little")
    for index in range(int.from_bytes(whole[first : first + 2], "little")):
        at = first + 2 + 12 * index
        if int.from_bytes(whole[at : at + 2], "little") == 257:
            whole[at + 2 : at + 12] = struct.pack("<HII", 4, 1, 30_000)
    with pytest.raises((DamagedPicture, UnsupportedPicture)):
        stills.decode(bytes(whole), "x", LIMIT)
