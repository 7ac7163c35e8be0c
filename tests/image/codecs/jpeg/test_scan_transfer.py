"""The scan of a grey JPEG carried into a color one, judged by decoders that had no part in it."""

import io

import av
import cv2
import imagecodecs
import numpy as np
import pytest
import pyvips
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from archive_colorizer.errors import UnsupportedPicture
from archive_colorizer.image.codecs.jpeg import segments as parts
from archive_colorizer.image.codecs.jpeg.metadata import insert_metadata
from archive_colorizer.image.codecs.jpeg.scan_transfer import carry_scan
from archive_colorizer.image.raster import Metadata
from tests.image.files import IPTC, XMP, exif, saved, small, small_grey, srgb_profile
from tests.photographs import NAMES, photograph


def half(height, width):
    return (height + 1) // 2, (width + 1) // 2


def chroma(sides):
    """Smooth, strong color."""
    rows, columns = np.mgrid[: sides[0], : sides[1]]
    cb = 128 + 30 * np.sin(columns / 31) + 10 * np.sin(rows / 7)
    return cb.astype(np.uint8), (255 - cb).astype(np.uint8)


def carried(source, full=False):
    height, width = simplejpeg.decode_jpeg_header(source)[:2]
    sides = (height, width) if full else half(height, width)
    return carry_scan(source, *chroma(sides), "mill.jpg")


def coded(jpeg):
    """The bits of the first scan."""
    start = jpeg.index(b"\xff\xda")
    start += 2 + int.from_bytes(jpeg[start + 2 : start + 4], "big")
    end = start
    while jpeg[end] != 0xFF or jpeg[end + 1] in (0, *range(0xD0, 0xD8)):
        end += 1
    return jpeg[start:end]


def by_libvips(jpeg):
    return pyvips.Image.new_from_buffer(jpeg, "", fail_on="warning").numpy()


def by_opencv(jpeg):
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def by_pillow(jpeg):
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))


def by_imagecodecs(jpeg):
    return imagecodecs.jpeg8_decode(jpeg)


def by_libjpeg_turbo(jpeg):
    return simplejpeg.decode_jpeg(jpeg, "RGB")


def by_ffmpeg(jpeg):
    return ffmpeg_frame(jpeg).to_ndarray(format="rgb24")


def ffmpeg_frame(jpeg):
    """By the one decoder here that shares no line with libjpeg."""
    with av.open(io.BytesIO(jpeg), format="jpeg_pipe") as stream:
        return next(stream.decode(video=0))


def ffmpeg_luma(jpeg):
    frame = ffmpeg_frame(jpeg)
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height, : frame.width].copy()


def opencv_luma(jpeg):
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)


def pillow_luma(jpeg):
    with Image.open(io.BytesIO(jpeg)) as opened:
        opened.draft("L", None)
        return np.asarray(opened)


SAME_FAMILY = [by_pillow, by_opencv, by_imagecodecs, by_libjpeg_turbo]
ENCODERS = {
    "pillow": lambda grey: saved(grey, "JPEG", quality=88),
    "optimized": lambda grey: saved(grey, "JPEG", quality=88, optimize=True),
    "restarts": lambda grey: saved(grey, "JPEG", quality=88, restart_marker_blocks=3),
    "opencv": lambda grey: cv2.imencode(".jpg", grey)[1].tobytes(),
    "libvips": lambda grey: pyvips.Image.new_from_array(grey).jpegsave_buffer(Q=70, keep="none"),
    "imagecodecs": lambda grey: imagecodecs.jpeg8_encode(grey, level=97),
    "simplejpeg": lambda grey: simplejpeg.encode_jpeg(grey[..., None].copy(), 100, "GRAY"),
}


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("full", [False, True])
def test_luma_keeps_its_bits_and_every_decoder_shows_it(encoder, full):
    source = ENCODERS[encoder](small_grey())
    result = carried(source, full)
    assert coded(result) == coded(source)
    assert np.array_equal(
        simplejpeg.decode_jpeg(result, "GRAY"), simplejpeg.decode_jpeg(source, "GRAY")
    )
    for luma_of in (pillow_luma, opencv_luma, ffmpeg_luma):
        assert np.array_equal(luma_of(result), luma_of(source)), luma_of.__name__


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("quality", [40, 90, 100])
def test_photographs_keep_every_pixel_of_luma(name, quality):
    source = saved(photograph(name)[..., 1], "JPEG", quality=quality)
    luma = simplejpeg.decode_jpeg(source, "GRAY")
    assert np.array_equal(simplejpeg.decode_jpeg(carried(source), "GRAY"), luma)


@settings(max_examples=60)
@given(
    height=st.integers(1, 49),
    width=st.integers(1, 49),
    full=st.booleans(),
    restart=st.sampled_from([0, 1, 3]),
    optimize=st.booleans(),
)
def test_any_size(height, width, full, restart, optimize):
    picture = photograph("astronaut")[90 : 90 + height, 200 : 200 + width, 1]
    options = {"restart_marker_blocks": restart} if restart else {}
    source = saved(picture, "JPEG", quality=92, optimize=optimize, **options)
    result = carried(source, full)
    assert coded(result) == coded(source)
    assert np.array_equal(
        simplejpeg.decode_jpeg(result, "GRAY"), simplejpeg.decode_jpeg(source, "GRAY")
    )
    assert by_libvips(result).shape == by_opencv(result).shape == (height, width, 3)


@pytest.mark.parametrize("full", [False, True])
def test_decoders_agree_on_the_colors(full):
    result = carried(saved(small_grey(), "JPEG", quality=90), full)
    colors = by_libvips(result).astype(int)
    assert np.ptp(colors, axis=2).mean() > 20
    for decoder in SAME_FAMILY:
        assert np.abs(colors - decoder(result)).max() <= 2, decoder.__name__
    # Its upsampling of chroma is another one.
    assert np.abs(colors - by_ffmpeg(result)).mean() < 3


def test_decoders_see_the_chroma_that_was_given():
    result = carried(saved(small_grey(), "JPEG", quality=90), full=True)
    opened = Image.open(io.BytesIO(result))
    opened.draft("YCbCr", None)
    seen = np.asarray(opened).astype(int)
    for plane, at in zip(chroma(small_grey().shape), (1, 2), strict=True):
        assert np.abs(seen[..., at] - plane).mean() < 0.6


@pytest.mark.parametrize("table", [0, 1, 2, 3])
@pytest.mark.parametrize("codes", [0, 1])
def test_tables_of_any_number_stay_apart(table, codes):
    """Divisors and Huffman codes of the source may have the numbers that chroma's have."""
    source = bytearray(saved(small_grey(), "JPEG", quality=85, optimize=True))
    luma = simplejpeg.decode_jpeg(bytes(source), "GRAY")
    at = 2
    for marker, body in list(parts.iterate_segments(bytes(source))):
        if marker == parts.DQT:
            source[at + 4] |= table
        if marker == 0xC4:
            source[at + 4] |= codes
        if marker == 0xC0:
            source[at + 4 + 8] = table
        at += 4 + len(body)
    source[at + 6] = 0x11 * codes
    assert np.array_equal(simplejpeg.decode_jpeg(bytes(source), "GRAY"), luma)
    result = carried(bytes(source))
    assert np.array_equal(simplejpeg.decode_jpeg(result, "GRAY"), luma)
    assert np.ptp(by_libvips(result).astype(int), axis=2).mean() > 20


def test_nothing_of_the_source_but_the_picture_is_in_it():
    known = {"exif": b"Exif\0\0" + exif(), "icc_profile": srgb_profile(), "comment": b"by Ada"}
    result = carried(saved(small_grey(), "JPEG", **known) + b"a trailer of a phone")
    assert b"Ada" not in result
    assert b"ICC_PROFILE" not in result
    assert result.endswith(b"\xff\xd9")
    assert next(parts.iterate_segments(result))[0] == parts.APP0
    metadata = Metadata(exif(thumbnail=False), srgb_profile(), XMP, IPTC, (300.0, 240.0))
    opened = Image.open(io.BytesIO(insert_metadata(result, metadata)))
    assert opened.info["dpi"] == (300, 240)
    assert opened.info["icc_profile"] == srgb_profile()


@pytest.mark.parametrize(
    "source",
    [
        saved(small_grey(), "JPEG", progressive=True),
        saved(small(), "JPEG"),
        # Two frames in a row, and tables after the scan, which nobody needs.
        saved(small_grey(), "JPEG")[:-2] + saved(small_grey(), "JPEG")[2:],
        saved(small_grey(), "JPEG")[:-2] + b"\xff\xc4\0\x03\0\xff\xd9",
    ],
    ids=["progressive", "color", "two frames", "tables after the scan"],
)
def test_other_files_are_refused(source):
    with pytest.raises(UnsupportedPicture, match=r"mill\.jpg: "):
        carry_scan(source, *chroma(half(*small_grey().shape)), "mill.jpg")


def test_what_can_be_carried_is_told_by_the_frame():
    assert parts.JpegFrame.read(saved(small_grey(), "JPEG"), "a").is_grey_baseline
    assert not parts.JpegFrame.read(
        saved(small_grey(), "JPEG", progressive=True), "a"
    ).is_grey_baseline
    assert not parts.JpegFrame.read(saved(small(), "JPEG"), "a").is_grey_baseline


def test_planes_of_another_size_are_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match=r"mill\.jpg: chroma of"):
        carry_scan(saved(small_grey(), "JPEG"), *chroma((10, 10)), "mill.jpg")
