"""Color management, judged by LittleCMS through Pillow and by published figures."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from archive_colorizer.color.space import compute_luma
from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.image.codecs import vips
from archive_colorizer.image.metadata import exif as directories
from archive_colorizer.image.metadata.color_space import ColorPlan, plan_color, to_srgb
from archive_colorizer.image.metadata.icc import get_srgb_profile
from archive_colorizer.image.raster import Metadata, Raster
from tests.image.files import LIMIT, deep, exif, saved, small, small_grey, srgb_profile, tiff
from tests.image.profiles import D65, GREY, RGB, build_grey_profile, build_rgb_profile, encode_gamma

SRGB_PRIMARIES = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06)


def convert_with_pillow(samples, icc):
    """The outside judge: 8-bit samples in sRGB."""
    image = Image.fromarray(samples)
    source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    shown = ImageCms.profileToProfile(
        image,
        source,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION | ImageCms.Flags.NOOPTIMIZE,
    )
    return np.asarray(shown).astype(int)


@pytest.mark.parametrize("kind", RGB)
def test_rgb_is_converted_as_littlecms_does(kind):
    expected = convert_with_pillow(small(), RGB[kind])
    assert np.abs(to_srgb(small(), RGB[kind]) - expected).max() <= 1
    wide = to_srgb(small().astype(np.uint16) * 257, RGB[kind]) / 257
    assert np.abs(wide - expected).max() < 0.75, "16 bit agree with 8 bit to their rounding"


@pytest.mark.parametrize("kind", GREY)
def test_grey_is_converted_as_littlecms_does(kind):
    expected = convert_with_pillow(small_grey(), GREY[kind])
    plan = plan_color(GREY[kind], False, "srgb")
    shown = plan.convert(small_grey())
    assert shown.ndim == 2 and np.abs(shown - expected[..., 0]).max() <= 1
    wide = plan.convert(small_grey().astype(np.uint16) * 257)
    assert wide.dtype == np.uint16 and np.abs(wide / 257 - expected[..., 0]).max() < 0.75


def encode_srgb(linear):
    return np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)


def test_known_answers_without_littlecms():
    """Straight from the definitions: the curves of grey, and a color inside both gamuts."""
    value = np.arange(65536, dtype=np.uint16)[None, :]
    shown = plan_color(GREY["gamma 2.2"], False, "srgb").convert(value)
    # The curve of the profile states 2.2 as 563 / 256.
    exact = encode_srgb((value / 65535) ** (563 / 256)) * 65535
    assert np.abs(shown - exact).max() < 65535 / 255 / 4
    half = np.array([[128]], np.uint8)
    assert plan_color(GREY["dot gain"], False, "srgb").convert(half)[0, 0] == round(
        255 * encode_srgb(np.array(1 - (127 / 255 + 0.8 * 127 * 128 / 255**2)))
    )
    to_xyz = np.array(
        [[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]]
    )
    from_xyz = np.array(
        [[3.24045, -1.53714, -0.49853], [-0.96927, 1.87601, 0.04156], [0.05564, -0.20403, 1.05723]]
    )
    adobe = np.array([120, 130, 140], np.uint8)
    expected = encode_srgb(from_xyz @ to_xyz @ ((adobe / 255) ** 2.19921875)) * 255
    assert np.abs(to_srgb(adobe[None, None], RGB["adobe rgb"])[0, 0] - expected).max() <= 1


@pytest.mark.parametrize("kind", RGB)
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("form", ["PNG", "TIFF", "JPEG", "JP2"])
def test_luma_and_preview_are_those_of_srgb(form, depth, kind):
    samples = small() if depth is np.uint8 else deep(small())
    if form == "JPEG":
        data = saved(small(), "JPEG", quality=95, icc_profile=RGB[kind])
        samples = np.asarray(Image.open(io.BytesIO(data)))
    elif form == "JP2":
        held = Raster(luma=samples[..., 0], format="jp2")
        data = stills.encode(samples, held, Metadata(icc=RGB[kind]))
    elif form == "PNG" and depth is np.uint8:
        data = saved(small(), "PNG", icc_profile=RGB[kind])
    else:
        data = tiff(samples, photometric="rgb", iccprofile=RGB[kind])
    raster = stills.decode(data, "x", LIMIT)
    shown = to_srgb(samples, RGB[kind])
    off = np.abs(raster.luma.astype(int) - compute_luma(shown)).max()
    assert off <= (2 if form == "JPEG" else 0), "two decoders of JPEG may differ by a rounding"
    assert raster.preview is not None and raster.converted
    assert raster.metadata.icc == get_srgb_profile()
    eight = shown if shown.dtype == np.uint8 else shown // 257
    assert np.abs(raster.preview.astype(int) - eight).max() <= (3 if form == "JPEG" else 0)
    assert raster.warnings == ("colors were converted from test to sRGB",)


@pytest.mark.parametrize("kind", RGB)
def test_keep_leaves_pixels_and_profile(kind):
    raster = stills.decode(saved(small(), "PNG", icc_profile=RGB[kind]), "x", LIMIT, "keep")
    assert np.array_equal(raster.luma, compute_luma(small()))
    assert raster.metadata.icc == RGB[kind] and not raster.converted
    grey = stills.decode(
        saved(small_grey(), "JPEG", icc_profile=GREY["dot gain"]), "x", 10**6, "keep"
    )
    assert grey.metadata.icc is not None and grey.metadata.icc[16:20] == b"RGB "


VARIANTS = {
    "littlecms": srgb_profile(),
    "own": get_srgb_profile(),
    "sampled": build_rgb_profile(
        SRGB_PRIMARIES,
        D65,
        b"curv\0\0\0\0\0\0\4\0"
        + np.rint(
            65535
            * np.where(
                (v := np.linspace(0, 1, 1024)) > 0.04045, ((v + 0.055) / 1.055) ** 2.4, v / 12.92
            )
        )
        .astype(">u2")
        .tobytes(),
    ),
}


@pytest.mark.parametrize("kind", VARIANTS)
@pytest.mark.parametrize("rule", ["srgb", "keep"])
def test_srgb_by_any_name_keeps_every_value(kind, rule):
    assert plan_color(VARIANTS[kind], True, "srgb") == ColorPlan(None, VARIANTS[kind])
    data = saved(small(), "PNG", icc_profile=VARIANTS[kind])
    raster = stills.decode(data, "x", LIMIT, rule)
    assert np.array_equal(raster.luma, compute_luma(small())) and not raster.converted
    assert raster.metadata.icc == VARIANTS[kind]


def test_what_is_near_to_srgb_is_not_srgb():
    near = build_rgb_profile(SRGB_PRIMARIES, D65, encode_gamma(2.2))
    for icc in (near, *RGB.values()):
        assert plan_color(icc, True, "srgb").source == icc
    assert plan_color(GREY["gamma 2.2"], False, "srgb").source == GREY["gamma 2.2"]


@pytest.mark.parametrize("rule", ["srgb", "keep"])
def test_a_source_without_a_profile_keeps_every_value(rule):
    raster = stills.decode(saved(small(), "PNG"), "x", LIMIT, rule)
    assert np.array_equal(raster.luma, compute_luma(small()))
    assert raster.metadata.icc == (get_srgb_profile() if rule == "srgb" else None)


def test_an_rgb_profile_on_a_grey_picture_changes_its_tones():
    data = saved(small_grey(), "PNG", icc_profile=RGB["prophoto"])
    raster = stills.decode(data, "x", LIMIT)
    expected = convert_with_pillow(np.dstack([small_grey()] * 3), RGB["prophoto"])
    assert raster.preview is None and np.abs(raster.luma - expected[..., 1]).max() <= 1


def test_a_profile_that_tints_greys_gives_a_colored_picture():
    """A scanner's profile may do so: its neutral is not that of the profile's space."""
    tinted = build_rgb_profile(SRGB_PRIMARIES, (0.36, 0.33), encode_gamma(2.2))
    # Taken for D50 unadapted: white comes out warm.
    curves = {b"rTRC": encode_gamma(2.6), b"bTRC": encode_gamma(1.6)}
    for name, curve in curves.items():
        at = tinted.index(name)
        tinted = (
            tinted[:at]
            + tinted[at : at + 4]
            + _append_tag(tinted, at, len(curve))
            + tinted[at + 12 :]
        )
        tinted += curve.ljust(16, b"\0")
    tinted = len(tinted).to_bytes(4, "big") + tinted[4:]
    raster = stills.decode(saved(small_grey(), "PNG", icc_profile=tinted), "x", LIMIT)
    expected = convert_with_pillow(np.dstack([small_grey()] * 3), tinted)
    assert raster.preview is not None
    assert np.abs(raster.preview - expected).max() <= 1


def _append_tag(icc, at, size):
    return len(icc).to_bytes(4, "big") + size.to_bytes(4, "big")


def load_cmyk_profile():
    """The general profile of libvips, as bytes."""
    library = vips.load_library()
    image = library.Image.black(1, 1, bands=3).copy(interpretation="srgb")
    return bytes(image.icc_export(output_profile="cmyk").get("icc-profile-data"))


@pytest.mark.parametrize("form", ["TIFF", "JPEG"])
@pytest.mark.parametrize("embedded", [True, False])
def test_cmyk_is_converted_as_littlecms_does(form, embedded):
    icc = load_cmyk_profile()
    ink = np.dstack([255 - small(), small()[::-1, :, 0] // 4])
    target = io.BytesIO()
    options = {"icc_profile": icc} if embedded else {}
    Image.fromarray(ink, "CMYK").save(target, form, **options)
    stored = np.asarray(Image.open(io.BytesIO(target.getvalue())))
    image = Image.frombytes("CMYK", stored.shape[1::-1], stored.tobytes())
    expected = np.asarray(
        ImageCms.profileToProfile(
            image,
            ImageCms.ImageCmsProfile(io.BytesIO(icc)),
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    )
    raster = stills.decode(target.getvalue(), "x", LIMIT)
    assert np.abs(raster.luma.astype(int) - compute_luma(expected)).max() <= 4
    assert raster.converted and raster.metadata.icc == get_srgb_profile()
    assert any(("its own" if embedded else "a general") in warning for warning in raster.warnings)


def test_exif_says_srgb_after_a_conversion():
    for order in "<>":
        before = exif(1, order, thumbnail=False)
        # The maker note's tag becomes the color space: uncalibrated.
        pack = (lambda n: n.to_bytes(2, "little")) if order == "<" else (lambda n: n.to_bytes(2))
        at = before.index(pack(37500))
        changed = before[:at] + pack(40961) + pack(3) + before[at + 4 :]
        changed = (
            changed[: at + 4]
            + (1).to_bytes(4, "little" if order == "<" else "big")
            + pack(65535)
            + b"\0\0"
            + changed[at + 12 :]
        )
        shown = stills.decode(
            saved(small(), "PNG", icc_profile=RGB["adobe rgb"], exif=changed), "x", LIMIT
        ).metadata.exif
        plain = stills.decode(saved(small(), "PNG", exif=changed), "x", LIMIT).metadata.exif
        assert [_read_color_space(stream) for stream in (shown, plain)] == [1, 65535]


def _read_color_space(stream):
    opened = directories.TiffStream.open(stream)
    first = opened.read_directory(opened.first)
    details = opened.read_directory(opened.read_number(first, directories.EXIF_POINTER, 0))
    return opened.read_number(details, 40961, 0)


DAMAGED = {
    "cut": RGB["adobe rgb"][:200],
    "zeros": bytes(5000),
    "counts": RGB["adobe rgb"][:128] + b"\xff" * 4 + RGB["adobe rgb"][132:],
    "huge": RGB["adobe rgb"][:-1] + bytes(20_000_000),
    "link": RGB["adobe rgb"][:12] + b"link" + RGB["adobe rgb"][16:],
    "no curves": RGB["adobe rgb"].replace(b"rTRC", b"xTRC"),
    "lab": RGB["adobe rgb"].replace(b"RGB XYZ ", b"Lab XYZ "),
    "cmyk": RGB["adobe rgb"].replace(b"RGB XYZ ", b"CMYKXYZ "),
}


@pytest.mark.parametrize("kind", DAMAGED)
@pytest.mark.parametrize("form", ["TIFF", "JPEG", "PNG"])
def test_a_profile_that_cannot_be_used_costs_a_warning_and_no_pixel(form, kind):
    if form == "JPEG" and kind == "huge":
        pytest.skip("no JPEG holds that much")
    data = saved(small(), form, icc_profile=DAMAGED[kind])
    plain = stills.decode(saved(small(), form), "x", LIMIT)
    raster = stills.decode(data, "x", LIMIT)
    # PNG's decoder refuses some profiles itself.
    warnings = [warning for warning in raster.warnings if "profile" in warning]
    assert len(warnings) == 1 and "dropped" in warnings[0]
    assert np.array_equal(raster.luma, plain.luma)
    assert raster.metadata.icc == get_srgb_profile() and not raster.converted


def test_a_profile_named_to_deceive_is_named_in_plain_letters():
    wild = RGB["adobe rgb"].replace(b"test\0", b"\x1b[2J\0")
    (warning,) = stills.decode(saved(small(), "PNG", icc_profile=wild), "x", LIMIT).warnings
    assert warning == "colors were converted from [2J to sRGB"


def test_a_grey_profile_on_a_colored_picture_is_dropped():
    plan = plan_color(build_grey_profile(encode_gamma(2.2)), True, "srgb")
    assert (
        plan == ColorPlan(None, get_srgb_profile(), plan.warnings)
        and "does not fit" in plan.warnings[0]
    )


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_strips_join_without_a_seam(depth, monkeypatch):
    monkeypatch.setattr("archive_colorizer.image.metadata.color_space._STRIP_PIXELS", 1000)
    samples = small() if depth is np.uint8 else deep(small())
    expected, fixed = to_srgb(samples, RGB["eci rgb"]), samples.copy()
    fixed.setflags(write=False)
    for source in (fixed, samples.copy()):
        shown = plan_color(RGB["eci rgb"], True, "srgb").convert(source)
        assert np.array_equal(shown, expected)
