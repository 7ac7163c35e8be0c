"""Profiles, judged by LittleCMS through Pillow."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from archive_colorizer.image.metadata.icc import description, for_rgb, rgb_from_grey, srgb
from tests.image.files import srgb_profile
from tests.image.profiles import GREY, gamma, grey_profile


def shown(icc, image):
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
    color, warning = for_rgb(grey, color=False)
    assert warning is None
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None, :])
    before, after = shown(grey, ramp), shown(color, ramp.convert("RGB"))
    assert np.abs(before - after).max() <= 1
    assert np.ptp(after, axis=2).max() <= 1, "neutral"


def test_the_ramps_of_different_curves_differ():
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None, :]).convert("RGB")
    dark, light = (shown(rgb_from_grey(grey_profile(gamma(g))), ramp) for g in (2.2, 1.8))
    assert np.abs(dark - light).max() > 10


@pytest.mark.parametrize("color", [True, False])
def test_an_rgb_profile_stays_as_it_is(color):
    assert for_rgb(srgb_profile(), color) == (srgb_profile(), None)


@pytest.mark.parametrize(
    ("icc", "color", "words"),
    [
        (grey_profile(gamma(2.2)), True, "does not fit"),
        (grey_profile(gamma(2.2))[:60], False, "damaged"),
        (grey_profile(gamma(2.2)).replace(b"acsp", b"acsq"), False, "damaged"),
        (grey_profile(gamma(2.2)).replace(b"kTRC", b"kXXX"), False, "rare kind"),
        (grey_profile(gamma(2.2), space=b"Lab "), False, "rare kind"),
        (b"\0" * 10_000, True, "damaged"),
        (srgb_profile()[:300], True, "damaged"),
    ],
)
def test_what_cannot_be_used_is_dropped_with_a_sentence(icc, color, words):
    kept, warning = for_rgb(icc, color)
    assert kept is None and words in warning


def test_the_profile_of_results_is_srgb_small_and_always_the_same():
    assert len(srgb()) < 700
    assert "sRGB" in description(srgb())
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None, :]).convert("RGB")
    assert np.array_equal(shown(srgb(), ramp), np.asarray(ramp))
    assert srgb()[24:36] == bytes.fromhex("07e800010001000000000000"), "no date of making"


def test_a_description_is_read_from_both_generations():
    assert description(GREY["gamma 2.2"]) == "test"
    assert description(rgb_from_grey(GREY["parametric"])).startswith("Grey tone curve")
    assert description(b"") == ""
