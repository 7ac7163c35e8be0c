"""One suite for every reader and writer, then what is special to one format."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from archive_colorizer.color.space import compute_luma
from archive_colorizer.color.strip_image import StripImage
from archive_colorizer.errors import (
    DamagedPicture,
    NotAPicture,
    PictureTooLarge,
    SourceError,
    UnsupportedPicture,
)
from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.image.raster import Metadata, Raster
from archive_colorizer.image.signatures import sniff
from tests.image.files import (
    IPTC,
    LIMIT,
    XMP,
    deep,
    exif,
    saved,
    small,
    small_grey,
    srgb_profile,
    tiff,
)

DEEP = {"png", "tiff", "jp2"}
FORMATS = sorted(set(stills.WRITERS) - {"jpeg"})
"""The lossless ones; JPEG has a suite of its own, and so have those that are only read."""
ALL_FORMATS = sorted(stills.WRITERS)
UPRIGHT_XMP = XMP.replace(b'Orientation="6"', b'Orientation="1"')
WHOLE = Metadata(exif(thumbnail=False), srgb_profile(), UPRIGHT_XMP, IPTC, (300.0, 300.0))


def written(kind, samples, alpha=None, metadata=None):
    shown = Raster(luma=samples[..., 1].copy(), format=kind, alpha=alpha)
    return stills.encode(samples, shown, metadata or Metadata())


def depths(kind):
    return (np.uint8, np.uint16) if kind in DEEP else (np.uint8,)


CASES = [(kind, depth) for kind in FORMATS for depth in depths(kind)]


@pytest.mark.parametrize("alpha", [True, False])
@pytest.mark.parametrize(("kind", "depth"), [*CASES, ("jpeg", np.uint8), ("webp", np.uint16)])
def test_a_picture_that_is_made_in_strips_gives_the_file_of_the_whole_one(kind, depth, alpha):
    samples = small() if depth == np.uint8 else deep(small())
    raster = Raster(samples[..., 1], kind, alpha=samples[..., 0] if alpha else None)
    strips = StripImage(samples.shape, samples.dtype, lambda: iter(np.array_split(samples, 9)))
    target = io.BytesIO()
    stills.write(strips, raster, WHOLE, kind, target)
    assert target.getvalue() == stills.encode(samples, raster, WHOLE)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_strips_of_a_tiff_are_those_that_tifffile_makes_of_a_whole_picture(depth, order):
    samples = np.tile(small() if depth == np.uint8 else deep(small()), (4, 2, 1))
    metadata = Metadata(exif(order=order, thumbnail=False))
    data = stills.encode(samples, Raster(samples[..., 1], "tiff"), metadata)
    whole = tiff(
        samples,
        byteorder=order,
        compression="zlib",
        compressionargs={"level": 2 if depth == np.uint8 else 1},
        predictor=True,
    )
    assert strips_of(data) == strips_of(whole)
    assert len(strips_of(data)) > 1


def strips_of(data):
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        places = zip(page.dataoffsets, page.databytecounts, strict=True)
        return [data[at : at + count] for at, count in places]


def picture(depth):
    return small() if depth is np.uint8 else deep(small())


@pytest.mark.parametrize(("kind", "depth"), CASES)
def test_color_comes_back_with_exact_luma_at_its_depth(kind, depth):
    rgb = picture(depth)
    raster = stills.decode(written(kind, rgb), "x", LIMIT)
    assert (raster.format, raster.luma.dtype, raster.alpha) == (kind, depth, None)
    assert np.array_equal(raster.luma, compute_luma(rgb))
    assert raster.preview is not None and raster.preview.dtype == np.uint8
    assert np.abs(raster.preview.astype(int) - small()).max() <= 1


@pytest.mark.parametrize(("kind", "depth"), CASES)
def test_equal_channels_count_as_grey(kind, depth):
    grey = picture(depth)[..., 1]
    raster = stills.decode(written(kind, np.dstack([grey] * 3)), "x", LIMIT)
    assert raster.preview is None
    assert np.array_equal(raster.luma, grey)


@pytest.mark.parametrize(("kind", "depth"), CASES)
def test_one_differing_pixel_makes_it_color(kind, depth):
    rgb = np.dstack([picture(depth)[..., 1]] * 3)
    rgb[-1, -1, 2] ^= 1
    assert stills.decode(written(kind, rgb), "x", LIMIT).preview is not None


@pytest.mark.parametrize(("kind", "depth"), CASES)
def test_alpha_is_kept(kind, depth):
    rgb = picture(depth)
    alpha = rgb[::-1, :, 0].copy()
    raster = stills.decode(written(kind, rgb, alpha), "x", LIMIT)
    assert raster.alpha is not None and np.array_equal(raster.alpha, alpha)
    assert np.array_equal(raster.luma, compute_luma(rgb))


@pytest.mark.parametrize("kind", FORMATS)
def test_other_readers_agree_on_the_pixels(kind):
    with Image.open(io.BytesIO(written(kind, small(), metadata=WHOLE))) as image:
        assert np.array_equal(np.asarray(image.convert("RGB")), small())


@pytest.mark.parametrize("kind", ["png", "tiff", "webp", "jp2"])
def test_metadata_is_kept(kind):
    kept = stills.decode(written(kind, small(), metadata=WHOLE), "x", LIMIT).metadata
    assert kept.icc == WHOLE.icc
    assert kept.xmp == UPRIGHT_XMP
    assert b"maker note" in (kept.exif or b"")
    if kind != "webp":
        assert kept.dpi == pytest.approx((300.0, 300.0), rel=1e-4)
    if kind in ("tiff", "jp2"):
        assert kept.iptc == IPTC
    if kind != "tiff":
        assert kept.exif == WHOLE.exif


@pytest.mark.parametrize("kind", ALL_FORMATS)
def test_a_cut_file_never_gives_a_picture(kind):
    whole = saved(small(), "JPEG") if kind == "jpeg" else written(kind, small(), metadata=WHOLE)
    for cut in (*range(40), *range(40, len(whole), len(whole) // 23), len(whole) - 1):
        if kind in ("tiff", "bmp") and cut == len(whole) - 1:
            continue  # the last byte belongs to no pixel: a null pointer, a row's padding
        with pytest.raises((DamagedPicture, NotAPicture)):
            stills.decode(whole[:cut], "x", LIMIT)


@pytest.mark.parametrize("kind", ALL_FORMATS)
def test_too_large_is_refused_with_limit_size_and_option(kind):
    whole = saved(small(), "JPEG") if kind == "jpeg" else written(kind, small())
    with pytest.raises(PictureTooLarge, match=r"scan\.x: 233 x 167 .* 0\.03 .*--max-megapixels"):
        stills.decode(whole, "scan.x", 30_000)
    assert stills.decode(whole, "scan.x", 233 * 167).luma.shape == (167, 233)


@pytest.mark.parametrize("kind", ALL_FORMATS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 17), (17, 1), (3, 2)])
def test_the_smallest_pictures(kind, shape):
    rgb = small()[: shape[0], : shape[1]]
    whole = saved(rgb, "JPEG") if kind == "jpeg" else written(kind, rgb)
    assert stills.decode(whole, "x", LIMIT).luma.shape == shape


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"", "is empty"), (b"hello", "no picture"), (b"BM is how a text may begin", "no picture")],
)
def test_what_is_no_picture(data, words):
    with pytest.raises(NotAPicture, match=words):
        stills.decode(data, "x", LIMIT)


def test_a_known_format_that_is_not_read_is_named():
    with pytest.raises(UnsupportedPicture, match="GIF"):
        stills.decode(saved(small_grey(), "GIF"), "x", LIMIT)


def test_sniff_knows_the_formats_by_content():
    assert sniff(b"II+\0\x08\0\0\0") == "tiff"
    assert sniff(b"MM\0*") == "tiff"
    assert sniff(b"\xff\x4f\xff\x51") == "jp2"
    assert sniff(b"RIFF\0\0\0\0WAVEfmt ") is None
    for kind in FORMATS:
        assert sniff(written(kind, small())[:16]) == kind


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_shallow_grey_is_widened_to_black_and_white(bits):
    levels = np.arange(1 << bits, dtype=np.uint8)[None, :].repeat(3, axis=0)
    data = (
        tiff(levels.astype(bool) if bits == 1 else levels, photometric="minisblack")
        if bits in (1, 8)
        else packed_tiff(levels, bits)
    )
    raster = stills.decode(data, "x", LIMIT)
    assert raster.luma[0].tolist() == [round(i * 255 / ((1 << bits) - 1)) for i in range(1 << bits)]


def packed_tiff(levels, bits):
    """tifffile packs no 2 or 4 bits: patch the depth of an 8-bit file of packed bytes."""
    per = 8 // bits
    joined = np.zeros((levels.shape[0], levels.shape[1] // per), np.uint8)
    for place in range(per):
        joined |= levels[:, place::per] << (8 - bits * (place + 1))
    data = bytearray(tiff(joined, photometric="minisblack"))
    count = int.from_bytes(data[8:10], "little")
    offset = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[offset : offset + 2], "little")
    for index in range(count):
        at = offset + 2 + 12 * index
        tag = int.from_bytes(data[at : at + 2], "little")
        if tag == 256:
            data[at + 8 : at + 12] = levels.shape[1].to_bytes(4, "little")
        if tag == 258:
            data[at + 8 : at + 12] = bits.to_bytes(4, "little")
    return bytes(data)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_white_is_zero_is_inverted(depth):
    grey = picture(depth)[..., 1]
    raster = stills.decode(tiff(grey, photometric="miniswhite"), "x", LIMIT)
    assert np.array_equal(raster.luma, np.iinfo(depth).max - grey)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_tiff_layouts(depth, compression, planar, order):
    rgb = picture(depth)
    stored = rgb if planar == "contig" else np.moveaxis(rgb, 2, 0)
    data = tiff(
        np.ascontiguousarray(stored),
        photometric="rgb",
        planarconfig=planar,
        compression=compression,
        byteorder=order,
        tile=(64, 64) if order == ">" and planar == "contig" else None,
    )
    assert np.array_equal(stills.decode(data, "x", LIMIT).luma, compute_luma(rgb))


def test_bigtiff_is_read():
    raster = stills.decode(
        tiff(deep(small_grey()), bigtiff=True, photometric="minisblack"), "x", LIMIT
    )
    assert np.array_equal(raster.luma, deep(small_grey()))


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_multiplied_alpha_is_divided_out(depth):
    rgb, top = picture(depth), np.iinfo(depth).max
    alpha = np.full(rgb.shape[:2], top // 2, depth)
    mixed = (rgb.astype(np.uint64) * alpha[..., None] // top).astype(depth)
    data = tiff(np.dstack((mixed, alpha)), photometric="rgb", extrasamples=["assocalpha"])
    raster = stills.decode(data, "x", LIMIT)
    assert np.array_equal(raster.alpha, alpha)
    assert np.abs(raster.luma.astype(int) - compute_luma(rgb)).max() <= 3


def test_an_unnamed_extra_channel_is_dropped_with_a_warning():
    data = tiff(np.dstack((small(), small_grey())), photometric="rgb", extrasamples=["unspecified"])
    raster = stills.decode(data, "x", LIMIT)
    assert raster.alpha is None
    assert any("unknown meaning" in warning for warning in raster.warnings)


@pytest.mark.parametrize("depth", [np.uint32, np.int16, np.int8])
def test_rare_samples_are_named(depth):
    data = tiff(small_grey().astype(depth), photometric="minisblack")
    with pytest.raises(UnsupportedPicture, match="16 bit"):
        stills.decode(data, "x", LIMIT)


@pytest.mark.parametrize(
    ("depth", "kind"), [(np.uint8, "tiff"), (np.uint16, "tiff"), (np.uint8, "jpeg")]
)
def test_cmyk_is_converted_and_said(depth, kind):
    cmyk = np.zeros((40, 60, 4), depth)
    cmyk[:, 30:, 3] = np.iinfo(depth).max
    if kind == "tiff":
        data = tiff(cmyk, photometric="separated")
    else:
        target = io.BytesIO()
        Image.frombytes("CMYK", (60, 40), cmyk.tobytes()).save(target, "JPEG")
        data = target.getvalue()
    raster = stills.decode(data, "x", LIMIT)
    top = np.iinfo(depth).max
    assert raster.luma.dtype == depth
    assert raster.luma[5, 5] > 0.95 * top and raster.luma[5, 50] < 0.25 * top
    assert any("general profile" in warning for warning in raster.warnings)


def test_an_animation_gives_its_first_picture():
    first, second = Image.fromarray(small()), Image.fromarray(small("coffee"))
    target = io.BytesIO()
    first.save(target, "WEBP", save_all=True, append_images=[second], lossless=True)
    raster = stills.decode(target.getvalue(), "x", LIMIT)
    assert raster.luma.shape == (167, 233)
    assert any("animation" in warning for warning in raster.warnings)


def test_a_palette_is_expanded():
    image = Image.fromarray(small()).quantize(64)
    expected = compute_luma(np.asarray(image.convert("RGB")))
    for kind in ("PNG", "TIFF", "BMP"):
        target = io.BytesIO()
        image.save(target, kind)
        assert np.array_equal(stills.decode(target.getvalue(), "x", LIMIT).luma, expected)


def test_bombs_are_refused_from_their_headers():
    frame = b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03\x01\x11\0\x02\x11\1\x03\x11\1"
    with pytest.raises(PictureTooLarge, match="65535 x 65535"):
        stills.decode(frame + b"\xff\xda\x00\x0c\x03", "x", 300_000_000)
    data = bytearray(tiff(small_grey()))
    offset = int.from_bytes(data[4:8], "little")
    for index in range(2):
        at = (
            offset
            + 2
            + 12
            * next(
                i
                for i in range(20)
                if int.from_bytes(data[offset + 2 + 12 * i :][:2], "little") == 256 + index
            )
        )
        data[at + 2 : at + 12] = b"\4\0\1\0\0\0" + (2**31).to_bytes(4, "little")
    with pytest.raises(PictureTooLarge):
        stills.decode(bytes(data), "x", 300_000_000)


def test_damage_in_the_middle_of_a_png_is_noticed():
    data = bytearray(written("png", small()))
    data[len(data) // 2] ^= 0x55
    with pytest.raises(SourceError):
        stills.decode(bytes(data), "x", LIMIT)


def test_a_lossy_webp_is_written_losslessly():
    source = stills.decode(saved(small(), "WEBP", quality=80), "x", LIMIT)
    grey = np.dstack([source.luma] * 3)
    assert np.array_equal(
        stills.decode(stills.encode(grey, source, source.metadata), "x", LIMIT).luma, source.luma
    )
