"""Profiles, judged by LittleCMS through Pillow."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from archive_colorizer.image.metadata.color_space import ColorPlan, plan_color
from archive_colorizer.image.metadata.icc import (
    build_rgb_profile,
    get_srgb_profile,
    read_description,
)
from tests.image.files import srgb_profile
from tests.image.profiles import GREY, build_grey_profile, encode_gamma


def convert_with_pillow(icc, image):
    """The ramp as sRGB."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    return np.asarray(
        ImageCms.profileToProfile(
            image,
            source,
            ImageCms.createProfile("sRGB"),
            outputMode="RGB",
            flags=ImageCms.Flags.NOOPTIMIZE,
        )
    ).astype(int)


@pytest.mark.parametrize("kind", GREY)
def test_a_grey_ramp_looks_the_same_through_both(kind):
    grey = GREY[kind]
    color = build_rgb_profile(grey)
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None, :])
    before, after = convert_with_pillow(grey, ramp), convert_with_pillow(color, ramp.convert("RGB"))
    assert np.abs(before - after).max() <= 1
    assert np.ptp(after, axis=2).max() <= 1, "neutral"


def test_the_ramps_of_different_curves_differ():
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None, :]).convert("RGB")
    dark, light = (
        convert_with_pillow(build_rgb_profile(build_grey_profile(encode_gamma(g))), ramp)
        for g in (2.2, 1.8)
    )
    assert np.abs(dark - light).max() > 10


@pytest.mark.parametrize("color", [True, False])
def test_an_rgb_profile_stays_as_it_is(color):
    assert plan_color(srgb_profile(), color, "keep") == ColorPlan(None, srgb_profile())


@pytest.mark.parametrize(
    ("icc", "color", "words"),
    [
        (build_grey_profile(encode_gamma(2.2)), True, "does not fit"),
        (build_grey_profile(encode_gamma(2.2))[:60], False, "damaged"),
        (build_grey_profile(encode_gamma(2.2)).replace(b"acsp", b"acsq"), False, "damaged"),
        (b"\0" * 10_000, True, "damaged"),
        (srgb_profile()[:300], True, "damaged"),
    ],
)
def test_what_cannot_be_used_is_dropped_with_a_sentence(icc, color, words):
    plan = plan_color(icc, color, "keep")
    assert plan.tag is None and words in plan.warnings[0]


@pytest.mark.parametrize("tag", [b"kTRC", b"XYZ "])
def test_a_grey_profile_without_a_curve_to_xyz_has_no_counterpart(tag):
    assert build_rgb_profile(build_grey_profile(encode_gamma(2.2)).replace(tag, b"none", 1)) is None


def test_the_profile_of_results_is_srgb_small_and_always_the_same():
    assert len(get_srgb_profile()) < 700
    assert "sRGB" in read_description(get_srgb_profile())
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None, :]).convert("RGB")
    assert np.array_equal(convert_with_pillow(get_srgb_profile(), ramp), np.asarray(ramp))
    assert get_srgb_profile()[24:36] == bytes.fromhex("07e800010001000000000000"), (
        "no date of making"
    )


def test_a_description_is_read_from_both_generations():
    assert read_description(GREY["gamma 2.2"]) == "test"
    assert read_description(build_rgb_profile(GREY["parametric"])).startswith("Grey tone curve")
    assert read_description(b"") == ""
