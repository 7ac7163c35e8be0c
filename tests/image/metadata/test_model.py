"""Orientation, EXIF and resolution, carried or undone."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps, PngImagePlugin

from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.image.metadata import exif as directories
from archive_colorizer.image.metadata.color_space import ColorPlan
from archive_colorizer.image.metadata.exif_patch import make_upright
from archive_colorizer.image.metadata.model import SourceMetadata, turn_upright
from archive_colorizer.image.raster import Metadata, Raster
from tests.image.files import (
    IPTC,
    LIMIT,
    MAKER_NOTE,
    XMP,
    deep,
    exif,
    saved,
    small,
    small_grey,
    srgb_profile,
    tiff,
)

ALL = range(1, 9)
PLAIN = ColorPlan(None, None)


def turn_with_pillow(samples, orientation):
    """The outside judge: Pillow's transposition, done on bytes."""
    tagged = Image.Exif()
    tagged[274] = orientation
    target = io.BytesIO()
    Image.fromarray(samples).save(target, "PNG", exif=tagged)
    return np.asarray(ImageOps.exif_transpose(Image.open(target)))


@pytest.mark.parametrize("orientation", ALL)
def test_upright_agrees_with_pillow(orientation):
    assert np.array_equal(
        turn_upright(small_grey(), orientation), turn_with_pillow(small_grey(), orientation)
    )
    turned = turn_upright(small(), orientation)
    assert (
        np.array_equal(turned, turn_with_pillow(small(), orientation)) and turned.flags.c_contiguous
    )


@pytest.mark.parametrize("orientation", ALL)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_exif_orientation_turns_luma_preview_and_alpha(kind, orientation):
    samples = small() if kind == "JPEG" else np.dstack((small(), small_grey()))
    lossless = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    tagged = (b"Exif\0\0" if kind == "JPEG" else b"") + exif(orientation)
    before = stills.decode(saved(samples, kind, **lossless), "x", LIMIT)
    after = stills.decode(saved(samples, kind, **lossless, exif=tagged), "x", LIMIT)
    assert np.array_equal(after.luma, turn_upright(before.luma, orientation))
    assert np.array_equal(after.preview, turn_upright(before.preview, orientation))
    if before.alpha is not None:
        assert np.array_equal(after.alpha, turn_upright(before.alpha, orientation))


@pytest.mark.parametrize("orientation", ALL)
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_tiff_orientation_turns_both_depths(depth, orientation):
    grey = small_grey() if depth is np.uint8 else deep(small_grey())
    data = tiff(grey, photometric="minisblack", extratags=[(274, 3, 1, orientation, True)])
    raster = stills.decode(data, "x", LIMIT)
    assert np.array_equal(raster.luma, turn_upright(grey, orientation))
    again = stills.encode(np.dstack([raster.luma] * 3), raster, raster.metadata)
    assert np.array_equal(stills.decode(again, "x", LIMIT).luma, raster.luma), "turned once only"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_exif_is_patched_in_place(order, orientation):
    before = exif(orientation, order)
    after = make_upright(before)
    stream = directories.TiffStream.open(after)
    first = stream.read_directory(stream.first)
    details = stream.read_directory(stream.read_number(first, directories.EXIF_POINTER, 0))
    assert stream.read_orientation(first) == 1
    assert first.next == 0, "no stale thumbnail"
    assert stream.read_bytes(details.entries[37500]) == MAKER_NOTE
    assert details.entries[37500].value_offset == before.index(MAKER_NOTE)
    sides = [stream.read_number(details, tag, 0) for tag in (40962, 40963)]
    assert sides == ([167, 233] if orientation == 6 else [233, 167])
    changed = sum(a != b for a, b in zip(before, after, strict=True))
    assert changed <= 2 + 4 + 4, "orientation, thumbnail pointer, sides and nothing else"


@given(st.binary(max_size=200))
def test_any_bytes_as_exif_end_as_metadata_or_a_warning(junk):
    for stream in (junk, b"II*\0\x08\0\0\0" + junk, b"MM\0+\0\x08\0\0\0\0\0\0\0\0\0\x10" + junk):
        reading = SourceMetadata(exif=stream).prepare(PLAIN)
        is_warned = any("EXIF" in warning for warning in reading.warnings)
        assert is_warned == bool(stream and reading.metadata.exif is None)
        assert 1 <= reading.orientation <= 8


def test_a_count_beyond_the_stream_does_not_hang_or_allocate():
    stream = b"II*\0\x08\0\0\0\xff\xff" + struct.pack("<HHII", 270, 2, 2**32 - 1, 20) * 3
    opened = directories.TiffStream.open(stream)
    assert opened.read_directory(8).entries == {}


def test_resolution_comes_from_the_container_then_from_exif():
    tagged = Image.Exif()
    tagged[282], tagged[283], tagged[296] = 118.11, 118.11, 3
    stream = tagged.tobytes()
    assert SourceMetadata(exif=stream).prepare(PLAIN).metadata.dpi == pytest.approx(
        (300, 300), 1e-3
    )
    assert SourceMetadata(exif=stream, dpi=(72.0, 72.0)).prepare(PLAIN).metadata.dpi == (
        72.0,
        72.0,
    )


@pytest.mark.parametrize("packet", [b"<!DOCTYPE x>" + XMP, XMP[:-9], b"no xml at all"])
def test_hostile_xmp_is_dropped_with_a_warning(packet):
    raster = stills.decode(saved(small(), "JPEG", xmp=packet), "x", LIMIT)
    assert raster.metadata.xmp is None
    assert raster.warnings == ("XMP is broken or hostile and was dropped",)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_tiff_keeps_what_other_writers_lose(order, depth):
    """Judged by tifffile and Pillow: tags, EXIF with maker note, place, profile, XMP, IPTC."""
    rgb = small() if depth is np.uint8 else deep(small())
    metadata = Metadata(exif(1, order, False), srgb_profile(), XMP, IPTC, (300.0, 200.0))
    data = stills.encode(rgb, Raster(luma=rgb[..., 0], format="tiff"), metadata)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        assert np.array_equal(page.asarray(), rgb)
        assert page.tags["ImageDescription"].value == "Mill at the river"
        assert page.tags["ExifTag"].value["MakerNote"] == MAKER_NOTE
        assert page.tags["GPSTag"].value["GPSLatitudeRef"] == "N"
        assert page.tags["InterColorProfile"].value == metadata.icc
        assert bytes(page.tags["XMP"].value) == XMP
        assert page.tags["XResolution"].value == (300, 1)
        assert page.tags["Compression"].value.name == "ADOBE_DEFLATE" and page.predictor.value == 2
    with Image.open(io.BytesIO(data)) as image:
        assert image.getexif().get_ifd(34665)[37500] == MAKER_NOTE
        assert image.getexif().get_ifd(34853)[1] == "N"
        assert image.info["icc_profile"] == metadata.icc and image.info["xmp"] == XMP
        assert bytes(image.tag_v2[33723]) == IPTC and image.info["dpi"] == (300.0, 200.0)


def test_a_tiff_read_and_written_keeps_its_metadata():
    metadata = Metadata(exif(1, ">", False), srgb_profile(), XMP, IPTC, (300.0, 300.0))
    first = stills.encode(small(), Raster(luma=small_grey(), format="tiff"), metadata)
    raster = stills.decode(first, "x", LIMIT)
    second = stills.encode(small(), raster, raster.metadata)
    again = stills.decode(second, "x", LIMIT)
    assert again.metadata == raster.metadata
    assert (raster.metadata.icc, raster.metadata.xmp) == (metadata.icc, XMP)
    assert (raster.metadata.iptc, raster.metadata.dpi) == (IPTC, (300.0, 300.0))
    assert MAKER_NOTE in again.metadata.exif and b"Mill at the river" in again.metadata.exif


def test_what_is_left_behind_in_a_jpeg_is_said():
    resource = b"8BIM" + struct.pack(">HHI", 0x03ED, 0, 4) + b"1234"
    segments = b""
    for marker, body in (
        (0xED, b"Photoshop 3.0\0" + resource),
        (0xEC, b"Ducky\0"),
        (0xEE, b"Adobe\0"),
    ):
        segments += struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
    plain = saved(small_grey(), "JPEG")
    (warning,) = stills.decode(plain[:2] + segments + plain[2:], "x", LIMIT).warnings
    assert warning == "not carried over: APP12 segments, Photoshop's own resources"
    assert stills.decode(plain, "x", LIMIT).warnings == ()


def test_what_is_left_behind_in_a_tiff_is_said():
    tags = [(50000, 2, 0, "private", True), (297, 3, 2, (0, 1), True)]
    data = tiff(small_grey(), photometric="minisblack", extratags=tags)
    raster = stills.decode(data, "x", LIMIT)
    assert raster.warnings == ("not carried over: TIFF tags 50000",)
    with tifffile.TiffFile(
        io.BytesIO(stills.encode(np.dstack([raster.luma] * 3), raster, raster.metadata))
    ) as file:
        assert file.pages[0].tags["PageNumber"].value == (0, 1)


def test_a_png_with_a_gamma_of_its_own_says_so():
    plain = saved(small_grey(), "PNG")

    def with_gamma(value):
        body = b"gAMA" + struct.pack(">I", value)
        chunk = struct.pack(">I", 4) + body + struct.pack(">I", zlib.crc32(body))
        return stills.decode(plain[:33] + chunk + plain[33:], "x", LIMIT).warnings

    assert with_gamma(45455) == ()
    (warning,) = with_gamma(100_000)
    assert "gamma" in warning and "sRGB" in warning


def test_png_texts_come_back_word_by_word():
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "M\xfchle", zip=True)
    info.add_text("Author", "Anna")
    info.add_itxt("Description", "\u6c34\u8eca")
    target = io.BytesIO()
    Image.fromarray(small_grey()).save(target, "PNG", pnginfo=info)
    raster = stills.decode(target.getvalue(), "x", LIMIT)
    data = stills.encode(np.dstack([raster.luma] * 3), raster, raster.metadata)
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        texts = {key: str(value) for key, value in image.text.items()}
    assert texts == {"Title": "M\xfchle", "Author": "Anna", "Description": "\u6c34\u8eca"}


def test_metadata_that_imagemagick_hid_in_a_png_is_found():
    def hidden(name, raw):
        return f"\n{name}\n{len(raw):8d}\n{raw.hex()}\n"

    info = PngImagePlugin.PngInfo()
    stream = exif(3)
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC)) + IPTC
    info.add_text(
        "Raw profile type APP1", hidden("generic profile", b"Exif\0\0" + stream), zip=True
    )
    info.add_text("Raw profile type iptc", hidden("iptc", resource), zip=True)
    target = io.BytesIO()
    Image.fromarray(small_grey()).save(target, "PNG", pnginfo=info)
    raster = stills.decode(target.getvalue(), "x", LIMIT)
    assert np.array_equal(raster.luma, turn_upright(small_grey(), 3))
    assert raster.metadata.iptc == IPTC and MAKER_NOTE in (raster.metadata.exif or b"")
