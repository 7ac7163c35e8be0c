"""Luma carried from JPEG to JPEG bit for bit, judged by jpeglib's own reader and decoders."""

import io
import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import jpeglib
import numpy as np
import pytest
import pyvips
import simplejpeg
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from archive_colorizer.color.blend import ChromaField, blend_planes
from archive_colorizer.errors import (
    DamagedPicture,
    DependencyError,
    OutputError,
    SourceError,
    UnsupportedPicture,
)
from archive_colorizer.image.codecs.jpeg import lossless as jpeg_lossless
from archive_colorizer.image.codecs.jpeg.lossless import check_range, encode_lossless, read_luma
from archive_colorizer.image.codecs.jpeg.metadata import read_orientation, set_orientation
from archive_colorizer.image.metadata.model import turn_as_stored, turn_upright
from archive_colorizer.image.raster import Metadata
from tests.image.files import IPTC, MAKER_NOTE, XMP, exif, saved, small, small_grey, srgb_profile
from tests.locations import SHARED
from tests.photographs import NAMES, photograph

WHOLE = Metadata(exif(thumbnail=False), srgb_profile(), XMP, IPTC, (300.0, 240.0))
PILLOW_SAMPLING = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}
NEUTRAL = 128


def chroma(height, width):
    """Smooth, strong color."""
    rows, columns = np.mgrid[:height, :width]
    cb = 128 + 30 * np.sin(columns / 31) + 10 * np.sin(rows / 7)
    return cb.astype(np.uint8), (255 - cb).astype(np.uint8)


def half(height, width):
    return (height + 1) // 2, (width + 1) // 2


def carried(source, metadata=None, full=False):
    """The result for a source, with chroma of half or full size."""
    height, width = simplejpeg.decode_jpeg_header(source, strict=False)[:2]
    sides = (height, width) if full else half(height, width)
    return encode_lossless(source, *chroma(*sides), metadata or Metadata(), "mill.jpg")


def coefficients(jpeg, folder):
    """Luma blocks and divisors through jpeglib's own reading of a file."""
    (folder / "judged.jpg").write_bytes(jpeg)
    found = jpeglib.read_dct(str(folder / "judged.jpg"))
    return found.Y, found.get_component_qt(0)


def assert_same_luma(source, result, folder):
    for before, after in zip(
        coefficients(source, folder), coefficients(result, folder), strict=True
    ):
        assert np.array_equal(before, after)
    assert np.array_equal(
        simplejpeg.decode_jpeg(source, "GRAY"), simplejpeg.decode_jpeg(result, "GRAY")
    )


def written(samples, sampling, **options):
    """A JPEG of any sampling by libvips, OpenCV or Pillow, whichever can."""
    if sampling in PILLOW_SAMPLING:
        return saved(samples, "JPEG", subsampling=PILLOW_SAMPLING[sampling], **options)
    code = getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{sampling.replace(':', '')}")
    done, data = cv2.imencode(".jpg", samples[..., ::-1], [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, code])
    assert done
    return data.tobytes()


@pytest.mark.parametrize("quality", [50, 75, 90, 95, 100])
@pytest.mark.parametrize("name", NAMES)
def test_photographs_keep_every_coefficient(name, quality, tmp_path):
    source = saved(photograph(name), "JPEG", quality=quality)
    assert_same_luma(source, carried(source), tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        {"progressive": True},
        {"restart_marker_blocks": 3},
        {"restart_marker_rows": 1, "progressive": True},
        {"optimize": True},
        {"quality": 1},
    ],
)
@pytest.mark.parametrize("picture", [small, small_grey])
def test_any_coding_keeps_every_coefficient(picture, options, tmp_path):
    source = saved(picture(), "JPEG", **options)
    assert_same_luma(source, carried(source), tmp_path)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:2", "4:2:0", "4:1:1", "4:4:0"])
def test_any_sampling_of_the_source_becomes_the_one_asked_for(sampling, full, tmp_path):
    source = written(small(), sampling)
    result = carried(source, full=full)
    assert_same_luma(source, result, tmp_path)
    assert simplejpeg.decode_jpeg_header(result)[2:] == ("YCbCr", "444" if full else "420")


@settings(max_examples=40)
@given(
    height=st.integers(1, 47),
    width=st.integers(1, 47),
    color=st.booleans(),
    full=st.booleans(),
    progressive=st.booleans(),
)
def test_any_size_keeps_every_coefficient(
    height, width, color, full, progressive, tmp_path_factory
):
    picture = photograph("astronaut")[90 : 90 + height, 200 : 200 + width]
    picture = picture if color else picture[..., 1]
    source = saved(picture, "JPEG", progressive=progressive)
    folder = tmp_path_factory.getbasetemp()
    assert_same_luma(source, carried(source, full=full), folder)


@pytest.mark.parametrize("sides", [(1, 1), (8, 8), (9, 8), (8, 9), (16, 17), (33, 47)])
def test_every_decoder_takes_sizes_between_blocks(sides):
    source = saved(photograph("coffee")[: sides[0], : sides[1]], "JPEG")
    result = carried(source)
    Image.open(io.BytesIO(result)).load()
    assert pyvips.Image.new_from_buffer(result, "", fail_on="warning").avg() > 0
    assert cv2.imdecode(np.frombuffer(result, np.uint8), cv2.IMREAD_COLOR).shape[:2] == sides


@pytest.mark.parametrize("full", [False, True])
def test_decoders_see_the_chroma_that_was_given(full):
    result = carried(saved(small_grey(), "JPEG", quality=90), full=full)
    height, width = small_grey().shape
    given_planes = chroma(*((height, width) if full else half(height, width)))
    opened = Image.open(io.BytesIO(result))
    opened.draft("YCbCr", None)
    seen = np.asarray(opened).astype(int)
    for plane, channel in zip(given_planes, (1, 2), strict=True):
        wide = cv2.resize(plane, (width, height)) if not full else plane
        assert np.abs(seen[..., channel] - wide).mean() < 1.5


def test_decoders_agree_on_the_colors():
    result = carried(saved(small_grey(), "JPEG", quality=90))
    pillow = np.asarray(Image.open(io.BytesIO(result))).astype(int)
    vips = pyvips.Image.new_from_buffer(result, "", fail_on="warning").numpy()
    opencv = cv2.imdecode(np.frombuffer(result, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.ptp(pillow, axis=2).mean() > 20
    for other in (vips, opencv):
        assert np.abs(pillow - other).mean() < 0.5


def test_the_chroma_of_a_color_source_is_replaced(tmp_path):
    source = saved(small(), "JPEG", quality=90)
    planes = [np.full(half(*small().shape[:2]), NEUTRAL, dtype=np.uint8)] * 2
    result = encode_lossless(source, *planes, Metadata(), "mill.jpg")
    assert np.ptp(np.asarray(Image.open(io.BytesIO(result))).astype(int), axis=2).max() == 0
    assert_same_luma(source, result, tmp_path)


def test_components_are_numbered_as_jfif_asks():
    result = carried(saved(small(), "JPEG"))
    frame = result.index(b"\xff\xc0") + 10
    scan = result.index(b"\xff\xda") + 5
    assert result[frame : frame + 9 : 3] == result[scan : scan + 6 : 2] == b"\1\2\3"


@given(st.integers(0, 255), st.integers(0, 255), st.integers(1, 40), st.integers(1, 40), st.data())
@settings(max_examples=60)
def test_quantising_is_within_half_a_step_of_the_dct(low, high, height, width, data):
    seed = data.draw(st.integers(0, 2**32))
    limits = min(low, high), max(low, high)
    plane = np.random.default_rng(seed).integers(
        *limits, (height, width), dtype=np.uint8, endpoint=True
    )
    divisors = jpeg_lossless._CHROMA_DIVISORS
    blocks = jpeg_lossless._compute_coefficients(plane)
    padded = np.pad(plane, ((0, -height % 8), (0, -width % 8)), mode="edge").astype(float) - 128
    for row, column in np.ndindex(*blocks.shape[:2]):
        block = padded[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
        off = np.abs(cv2.dct(block) - blocks[row, column].astype(float) * divisors)
        assert np.all(off <= divisors / 2 + 1e-2)


@given(st.integers(1, 8), st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_as_stored_undoes_upright(orientation, height, width, planes):
    sides = (height, width, 4) if planes else (height, width)
    stored = np.arange(np.prod(sides), dtype=np.uint16).reshape(sides)
    assert np.array_equal(turn_as_stored(turn_upright(stored, orientation), orientation), stored)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", "<>")
def test_a_lying_source_keeps_its_pixels_and_its_tag(orientation, order, tmp_path):
    source = saved(small_grey(), "JPEG", exif=b"Exif\0\0" + exif(orientation, order))
    assert read_orientation(source) == orientation
    metadata = Metadata(exif=exif(1, order, thumbnail=False), xmp=XMP.replace(b'"6"', b'"1"'))
    result = carried(source, metadata)
    assert_same_luma(source, result, tmp_path)
    assert read_orientation(result) == orientation
    assert f'tiff:Orientation="{orientation}"'.encode() in result
    tags = Image.open(io.BytesIO(result)).getexif().get_ifd(34665)
    lying = orientation >= 5
    assert (tags[40962], tags[40963]) == ((167, 233) if lying else (233, 167))
    assert tags[37500] == MAKER_NOTE


@pytest.mark.parametrize("orientation", range(1, 9))
def test_color_lands_where_it_was_meant_as_seen(orientation):
    seen = small_grey()[:121, :75] // 4 + 96
    source = saved(turn_as_stored(seen, orientation), "JPEG", exif=b"Exif\0\0" + exif(orientation))
    lines = np.zeros((16, 10, 4), dtype=np.float32)
    lines[:8, :5, 2], lines[8:, 5:, 3] = 0.1, 0.1
    there = ChromaField(turn_as_stored(lines, orientation))
    planes = blend_planes(turn_as_stored(seen, orientation), there)
    result = encode_lossless(source, *planes, Metadata(exif=exif(1)), "mill.jpg")
    shown = ImageOps.exif_transpose(Image.open(io.BytesIO(result))).convert("YCbCr")
    blue, red = np.moveaxis(np.asarray(shown).astype(int), 2, 0)[1:]
    assert shown.size == (75, 121)
    for channel, colored in (
        (blue, (slice(0, 50), slice(0, 30))),
        (red, (slice(70, 121), slice(45, 75))),
    ):
        rest = channel.copy()
        rest[:70, :45] = rest[50:, 30:] = NEUTRAL
        assert np.median(channel[colored]) > NEUTRAL + 10
        assert np.abs(rest - NEUTRAL).mean() < 2


def test_orientation_in_an_xmp_element_is_put_back_too():
    metadata = Metadata(xmp=b"<tiff:Orientation>1</tiff:Orientation>")
    assert set_orientation(metadata, 8).xmp == b"<tiff:Orientation>8</tiff:Orientation>"
    assert set_orientation(Metadata(), 8) == Metadata()


def test_broken_exif_counts_as_upright():
    assert read_orientation(saved(small_grey(), "JPEG", exif=b"Exif\0\0II*\0nonsense")) == 1
    assert read_orientation(saved(small_grey(), "JPEG")) == 1


def test_metadata_travels():
    opened = Image.open(io.BytesIO(carried(saved(small_grey(), "JPEG"), WHOLE)))
    assert opened.info["dpi"] == (300, 240)
    assert opened.info["icc_profile"] == WHOLE.icc
    assert opened.getexif()[270] == "Mill at the river"
    assert b"Mill at the river" in opened.info["xmp"]


def test_the_source_s_own_metadata_does_not_slip_through():
    source = saved(small_grey(), "JPEG", exif=b"Exif\0\0" + exif(), comment=b"private")
    result = carried(source)
    assert b"private" not in result
    assert MAKER_NOTE not in result


def cmyk():
    target = io.BytesIO()
    Image.fromarray(small()).convert("CMYK").save(target, "JPEG")
    return target.getvalue()


def rgb():
    return saved(small(), "JPEG", keep_rgb=True)


def twelve_bit():
    source = bytearray(saved(small_grey(), "JPEG"))
    source[source.index(b"\xff\xc0") + 4] = 12
    return bytes(source)


def arithmetic():
    return saved(small_grey(), "JPEG").replace(b"\xff\xc0", b"\xff\xc9", 1)


def luma_not_finest():
    source = bytearray(saved(small(), "JPEG", subsampling=0))
    source[source.index(b"\xff\xc0") + 14] = 0x21
    return bytes(source)


@pytest.mark.parametrize("make", [cmyk, rgb, twelve_bit, arithmetic, luma_not_finest])
def test_kinds_that_cannot_go_this_way_say_so(make):
    with pytest.raises(UnsupportedPicture, match=r"mill\.jpg"):
        read_luma(make(), "mill.jpg")


def test_divisors_that_change_between_scans_are_refused():
    source = saved(small_grey(), "JPEG", progressive=True)
    table = source[source.index(b"\xff\xdb") :][:69]
    second = source.index(b"\xff\xc4", source.index(b"\xff\xda"))
    with pytest.raises(UnsupportedPicture, match="of this structure"):
        read_luma(source[:second] + table + source[second:], "mill.jpg")


def test_a_progressive_file_without_its_last_scans_is_refused():
    source = saved(photograph("rocket"), "JPEG", progressive=True)
    scans = [at for at in range(len(source)) if source[at : at + 2] == b"\xff\xda"]
    tables = source.rindex(b"\xff\xc4", 0, scans[3])
    with pytest.raises(UnsupportedPicture, match="come out the same"):
        carried(source[:tables] + b"\xff\xd9")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_cut_files_are_refused(share):
    source = saved(small(), "JPEG")
    with pytest.raises(SourceError):
        read_luma(source[: int(len(source) * share)], "mill.jpg")


def test_bytes_out_of_place_between_restarts_are_refused():
    source = saved(small_grey(), "JPEG", restart_marker_blocks=2)
    at = source.index(b"\xff\xd0")
    with pytest.raises(DamagedPicture):
        read_luma(source[:at] + b"\1\2\3" + source[at:], "mill.jpg")


def test_coefficients_that_no_encoder_makes_are_refused():
    blocks = np.zeros((2, 2, 8, 8), dtype=np.int16)
    check_range(blocks, "mill.jpg")
    for place, value in (((0, 0, 0, 0), 1024), ((1, 1, 0, 0), -1025), ((1, 0, 3, 3), 1024)):
        wrong = blocks.copy()
        wrong[place] = value
        with pytest.raises(DamagedPicture, match="range"):
            check_range(wrong, "mill.jpg")


@settings(max_examples=150)
@given(seed=st.integers(0, 2**32 - 1), progressive=st.booleans())
@example(seed=424651585, progressive=False)  # a sampling without a name
def test_damaged_files_give_the_same_luma_or_a_named_error(seed, progressive):
    source = bytearray(saved(small()[:40, :56], "JPEG", progressive=progressive))
    random = np.random.default_rng(seed)
    for at in random.integers(2, len(source), 3):
        source[at] = random.integers(256)
    try:
        luma = read_luma(bytes(source), "mill.jpg")
        planes = chroma(*half(luma.height, luma.width))
        result = encode_lossless(bytes(source), *planes, Metadata(), "mill.jpg")
    except SourceError:
        return
    assert np.array_equal(read_luma(result, "result").blocks, luma.blocks)


def test_many_segments_and_what_follows_the_picture_do_no_harm(tmp_path):
    source = saved(small_grey(), "JPEG")
    notes = b"".join(b"\xff\xe5\x00\x0c" + b"x" * 10 for _ in range(200))
    crowded = source[:2] + notes + source[2:] + b"\xff\xd8\xff\xdb second picture"
    assert_same_luma(source, carried(crowded), tmp_path)


def test_planes_of_another_size_are_a_mistake_of_the_caller():
    source = saved(small_grey(), "JPEG")
    with pytest.raises(ValueError, match=r"mill\.jpg: chroma of"):
        encode_lossless(source, *chroma(10, 10), Metadata(), "mill.jpg")


def test_without_jpeglib_it_says_what_to_install(monkeypatch):
    jpeg_lossless._load_jpeglib.cache_clear()
    monkeypatch.setitem(sys.modules, "jpeglib", None)
    with pytest.raises(DependencyError, match="pip install jpeglib"):
        carried(saved(small(), "JPEG"))
    jpeg_lossless._load_jpeglib.cache_clear()


def test_grey_baseline_needs_no_jpeglib(monkeypatch):
    jpeg_lossless._load_jpeglib.cache_clear()
    monkeypatch.setitem(sys.modules, "jpeglib", None)
    assert simplejpeg.decode_jpeg_header(carried(saved(small_grey(), "JPEG")))[2] == "YCbCr"
    jpeg_lossless._load_jpeglib.cache_clear()


def test_without_room_for_temporary_files_it_says_where_to_make_some(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(OutputError, match="TMPDIR"):
        carried(saved(small(), "JPEG"))


def test_what_the_library_objects_to_is_damage(monkeypatch):
    def objecting(*_, **__):
        raise OSError("writing failed")

    monkeypatch.setattr(jpeglib.DCTJPEG, "write_dct", objecting)
    with pytest.raises(DamagedPicture, match="writing failed"):
        carried(saved(small(), "JPEG"))


def test_threads_do_not_disturb_one_another():
    sources = [saved(photograph(name), "JPEG", quality=q) for name in NAMES for q in (60, 95)]
    alone = [carried(source) for source in sources]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(carried, sources * 3)) == alone * 3


def test_nothing_is_left_in_the_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    carried(saved(small(), "JPEG"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not (SHARED / "corpus").exists(), reason="needs ../shared/corpus")
def test_foreign_files_keep_every_coefficient_or_are_refused(tmp_path):
    same = 0
    for file in sorted((SHARED / "corpus" / "corpus").glob("*/jpeg/*")):
        source = file.read_bytes()
        try:
            luma = read_luma(source, file.name)
            planes = chroma(*half(luma.height, luma.width))
            result = encode_lossless(source, *planes, WHOLE, file.name)
        except SourceError:
            continue
        assert "bad" not in file.parts, file.name
        after = read_luma(result, file.name)
        assert np.array_equal(after.blocks, luma.blocks), file.name
        assert np.array_equal(after.divisors, luma.divisors), file.name
        same += 1
    assert same >= 42
