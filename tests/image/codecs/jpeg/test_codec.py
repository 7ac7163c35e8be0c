"""JPEG: luma in and out, planes, metadata segments, and everything that can be wrong."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from PIL import Image

from archive_colorizer.color.space import compute_luma
from archive_colorizer.errors import DamagedPicture, OutputError, UnsupportedPicture
from archive_colorizer.image.codecs.jpeg import segments as jpeg_segments
from archive_colorizer.image.codecs.jpeg.codec import decode_jpeg, encode_jpeg
from archive_colorizer.image.metadata.icc import get_srgb_profile
from archive_colorizer.image.raster import DecodeOptions, Metadata, Raster
from tests.image.files import (
    IPTC,
    LIMIT,
    MAKER_NOTE,
    XMP,
    exif,
    saved,
    small,
    small_grey,
    srgb_profile,
)
from tests.photographs import NAMES, photograph

WHOLE = Metadata(exif(thumbnail=False), srgb_profile(), XMP, IPTC, (300.0, 240.0))


def decode(data: bytes, name: str, max_pixels: int) -> Raster:
    return decode_jpeg(data, DecodeOptions(name, max_pixels))


def chroma(luma):
    """Smooth, strong color at half size."""
    rows, columns = np.mgrid[: (luma.shape[0] + 1) // 2, : (luma.shape[1] + 1) // 2]
    cb = 128 + 30 * np.sin(columns / 31) + 10 * np.sin(rows / 7)
    return cb.astype(np.uint8), (255 - cb).astype(np.uint8)


def encoded(luma, metadata=None, quality=0):
    return encode_jpeg(luma, *chroma(luma), metadata or Metadata(), quality)


def test_a_grey_file_gives_its_own_values():
    data = saved(small_grey(), "JPEG", quality=90)
    raster = decode(data, "x", LIMIT)
    assert raster.preview is None and raster.quality == 90
    assert np.array_equal(raster.luma, np.asarray(Image.open(io.BytesIO(data))))


def test_a_color_file_gives_the_luma_it_stores():
    data = saved(small(), "JPEG", quality=95, subsampling=0)
    raster = decode(data, "x", LIMIT)
    image = Image.open(io.BytesIO(data))
    image.draft("YCbCr", None)
    assert np.abs(raster.luma.astype(int) - np.asarray(image)[..., 0]).max() == 0
    assert np.abs(raster.luma.astype(int) - compute_luma(small())).mean() < 2


def test_the_preview_is_small_and_in_color():
    raster = decode(saved(np.tile(small(), (8, 6, 1)), "JPEG"), "x", LIMIT)
    assert max(raster.preview.shape) == 512 and raster.luma.shape == (1336, 1398)
    assert np.ptp(raster.preview, axis=2).max() > 40


def test_three_equal_channels_count_as_grey():
    data = saved(np.dstack([small_grey()] * 3), "JPEG")
    assert decode(data, "x", LIMIT).preview is None


@pytest.mark.parametrize("saved_at", [75, 90, 95])
@pytest.mark.parametrize("name", NAMES)
def test_luma_stays_within_one_code_value(name, saved_at):
    source = decode(saved(photograph(name), "JPEG", quality=saved_at), "x", LIMIT)
    result = decode(encoded(source.luma), "x", LIMIT)
    error = np.abs(result.luma.astype(int) - source.luma)
    assert (error.max(), error.mean() < 0.1) == (1, True)


def test_the_planes_of_color_arrive():
    luma = small_grey()
    cb, cr = chroma(luma)
    image = Image.open(io.BytesIO(encode_jpeg(luma, cb, cr, Metadata(), 98)))
    image.draft("YCbCr", None)
    shown = np.asarray(image)
    assert image.layer[0][1:3] == (2, 2), "4:2:0"
    assert np.abs(shown[::2, ::2, 1].astype(int) - cb).mean() < 2
    assert np.abs(shown[::2, ::2, 2].astype(int) - cr).mean() < 2


@settings(max_examples=25)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 100))
def test_any_size_and_quality_is_written(height, width, quality):
    luma = small_grey()[:height, :width]
    raster = decode(encoded(luma, quality=quality), "x", LIMIT)
    assert raster.luma.shape == (height, width) and raster.quality == quality


def test_more_pixels_a_side_than_the_format_holds():
    luma = np.zeros((1, 70_000), np.uint8)
    with pytest.raises(OutputError, match="70000"):
        encoded(luma)


@pytest.mark.parametrize("quality", [1, 30, 49, 50, 75, 90, 100])
def test_the_quality_of_usual_tables_is_recognised(quality):
    assert decode(saved(small(), "JPEG", quality=quality), "x", LIMIT).quality == quality


def test_an_unusual_table_gets_a_quality_at_least_as_fine():
    table = [3, 2, 10, 8, 8, 8, 7, 7, 2, 6] + [9] * 54
    data = saved(small_grey(), "JPEG", qtables=[table])
    quality = decode(data, "x", LIMIT).quality
    with Image.open(io.BytesIO(data)) as picture:
        theirs = picture.quantization[0]
    with Image.open(io.BytesIO(saved(small_grey(), "JPEG", quality=quality))) as picture:
        ours = picture.quantization[0]
    assert all(a <= b for a, b in zip(ours, theirs, strict=True))


def test_metadata_is_carried_as_it_was():
    kept = decode(encoded(small_grey(), WHOLE), "x", LIMIT).metadata
    assert kept == WHOLE
    with Image.open(io.BytesIO(encoded(small_grey(), WHOLE))) as image:
        assert image.info["icc_profile"] == WHOLE.icc
        assert image.info["xmp"] == XMP
        assert image.info["dpi"] == (300, 240)
        assert image.getexif().get_ifd(34665)[37500] == MAKER_NOTE
        assert image.getexif()[270] == "Mill at the river"


def test_a_long_profile_goes_over_several_segments():
    profile = bytearray(srgb_profile())
    profile += bytes(200_000)
    profile[:4] = len(profile).to_bytes(4, "big")
    data = encoded(small_grey(), Metadata(icc=bytes(profile)))
    assert decode(data, "x", LIMIT).metadata.icc == bytes(profile)


def test_long_xmp_goes_on_in_extended_segments():
    packet = XMP + b" " * 150_000
    data = encoded(small_grey(), Metadata(xmp=packet))
    main, *rest = [
        body
        for marker, body in jpeg_segments.iterate_segments(data)
        if marker == jpeg_segments.APP1
    ]
    assert b"HasExtendedXMP" in main
    head = len(jpeg_segments.EXTENDED_XMP) + 40
    assert b"".join(body[head:] for body in rest) == packet
    raster = decode(data, "x", LIMIT)
    assert raster.warnings == ()
    joined = etree.fromstring(raster.metadata.xmp)
    assert "Mill at the river" in [one.text for one in joined.iter()]
    assert b"HasExtendedXMP" not in raster.metadata.xmp


@pytest.mark.parametrize("fault", ["lost", "torn", "hostile"])
def test_extended_xmp_that_is_broken_is_dropped_with_a_warning(fault):
    hostile = b"<!DOCTYPE x>" if fault == "hostile" else b""
    data = encoded(small_grey(), Metadata(xmp=hostile + XMP + b" " * 150_000))
    at = data.rindex(jpeg_segments.EXTENDED_XMP)
    if fault == "lost":
        size = int.from_bytes(data[at - 2 : at], "big")
        data = data[: at - 4] + data[at - 2 + size :]
    elif fault == "torn":
        place = at + len(jpeg_segments.EXTENDED_XMP) + 36
        data = data[:place] + b"\xff\xff" + data[place + 2 :]
    raster = decode(data, "x", LIMIT)
    assert raster.warnings == ("extended XMP is broken or hostile and was dropped",)
    assert b"HasExtendedXMP" in raster.metadata.xmp, "the main packet stays as it is"


@pytest.mark.parametrize(
    "comment", [b"Mill at the river", "Mühle".encode(), b"M\xfchle", b"\xff\0"]
)
def test_comments_keep_their_bytes(comment):
    data = saved(small_grey(), "JPEG", comment=comment)
    raster = decode(data, "x", LIMIT)
    again = encoded(small_grey(), raster.metadata)
    with Image.open(io.BytesIO(again)) as image:
        assert image.info["comment"] == comment


def test_an_incomplete_profile_is_dropped_with_a_warning():
    data = saved(small_grey(), "JPEG", icc_profile=srgb_profile())
    damaged = data.replace(b"ICC_PROFILE\0\1\1", b"ICC_PROFILE\0\1\2")
    assert damaged != data
    raster = decode(damaged, "x", LIMIT)
    assert raster.metadata.icc == get_srgb_profile(), "taken for sRGB"
    assert "the ICC profile is incomplete and was dropped" in raster.warnings


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("color", [False, True])
def test_a_file_cut_anywhere_is_damaged(progressive, color):
    whole = saved(small() if color else small_grey(), "JPEG", progressive=progressive)
    for cut in (*range(2, 700, 13), *range(700, len(whole), 997), *range(-20, 0)):
        with pytest.raises(DamagedPicture, match="scan"):
            decode(whole[:cut], "scan", LIMIT)


def test_a_slight_fault_is_passed_over_and_said():
    data = saved(small_grey(), "JPEG")
    at = data.index(b"\xff\xdb")
    raster = decode(data[:at] + b"\0" + data[at:], "x", LIMIT)
    assert np.array_equal(raster.luma, decode(data, "x", LIMIT).luma)
    assert any("parts of the picture may be missing" in warning for warning in raster.warnings)


def test_a_file_cut_and_closed_again_says_so():
    whole = saved(small_grey(), "JPEG")
    raster = decode(whole[: len(whole) // 2] + b"\xff\xd9", "x", LIMIT)
    assert any("parts of the picture may be missing" in warning for warning in raster.warnings)


def test_a_large_frame_around_little_data_is_refused_unread():
    data = bytearray(saved(small(), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = b"\x42\x68\x42\x68"
    with pytest.raises(DamagedPicture, match="too short for its 17000 x 17000"):
        decode(bytes(data), "x", 300_000_000)
    for options in ({}, {"optimize": True}, {"progressive": True}):
        empty = saved(np.full((2000, 2000, 3), 77, np.uint8), "JPEG", **options)
        assert decode(empty, "x", LIMIT).luma.max() == 77


def test_twelve_bits_are_named():
    data = bytearray(saved(small_grey(), "JPEG"))
    data[data.index(b"\xff\xc0") + 4] = 12
    with pytest.raises(UnsupportedPicture, match="12 bit"):
        decode(bytes(data), "x", LIMIT)


@settings(max_examples=60)
@given(st.integers(2, 600), st.binary(min_size=1, max_size=4))
def test_a_damaged_header_never_ends_in_another_error(at, junk):
    data = bytearray(saved(small()[:40, :40], "JPEG", icc_profile=srgb_profile()))
    data[at : at + len(junk)] = junk
    try:
        assert decode(bytes(data), "x", LIMIT).luma.ndim == 2
    except (DamagedPicture, UnsupportedPicture):
        pass
    except Exception as error:
        assert type(error).__name__ == "PictureTooLarge"


@pytest.mark.parametrize(("height", "width"), [(7, 9), (7, 8), (8, 9), (1, 2), (2403, 2567)])
def test_the_encoder_never_reads_past_the_luma_that_it_was_given(monkeypatch, height, width):
    """libjpeg-turbo reads luma in blocks of 2 x 2; past an odd edge it found foreign memory."""
    import simplejpeg

    given = []
    plain = simplejpeg.encode_jpeg_yuv_planes

    def look(luma, *chroma, **how):
        given.append(luma)
        return plain(luma, *chroma, **how)

    monkeypatch.setattr(simplejpeg, "encode_jpeg_yuv_planes", look)
    luma = np.full((height, width), 90, dtype=np.uint8)
    chroma = np.full(((height + 1) // 2, (width + 1) // 2), 128, dtype=np.uint8)
    encode_jpeg(luma, chroma, chroma, Metadata(), 95)
    (seen,) = given
    behind = seen if seen.base is None else seen.base
    assert seen.shape == luma.shape
    assert behind.shape == (height + height % 2, width + width % 2)
    assert (behind == 90).all()
