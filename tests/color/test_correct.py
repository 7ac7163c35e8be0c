import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from archive_colorizer.color.correct import Correction, compute_gamut_share, correct
from archive_colorizer.color.space import compute_chroma, compute_rgb
from tests.photographs import NAMES, photograph


def mask_of(name):
    rgb = photograph(name)[::4, ::4].astype(np.float32) / 255
    luma = (rgb @ np.array([0.299, 0.587, 0.114])).astype(np.float32)
    return compute_chroma(rgb), luma


def hue_of(chroma):
    return np.degrees(np.arctan2(chroma[..., 1], chroma[..., 0]))


@pytest.mark.parametrize("name", NAMES)
def test_no_correction_changes_nothing_inside_the_gamut(name):
    chroma, luma = mask_of(name)
    assert np.abs(correct(chroma, luma, Correction()) - chroma).max() < 1e-5


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("nothing", [Correction(strength=0), Correction(saturation=0)])
def test_no_strength_and_no_saturation_are_neutral(name, nothing):
    chroma, luma = mask_of(name)
    assert np.abs(correct(chroma, luma, nothing)).max() < 1e-6


@given(st.floats(-360, 360), st.floats(0, 2))
def test_a_whole_turn_of_hue_is_no_turn(hue, saturation):
    chroma, luma = mask_of("astronaut")
    once = correct(chroma, luma, Correction(hue=hue, saturation=saturation))
    again = correct(chroma, luma, Correction(hue=hue + 360, saturation=saturation))
    assert np.abs(once - again).max() < 1e-4


def test_half_strength_is_half_the_color():
    chroma, luma = mask_of("coffee")
    whole = correct(chroma, luma, Correction())
    assert np.allclose(correct(chroma, luma, Correction(strength=0.5)), whole / 2, atol=1e-6)


def test_a_third_of_a_turn_makes_red_green():
    red = np.full((2, 2, 2), compute_chroma(np.array([[[1, 0, 0]]], dtype=np.float32))[0, 0])
    luma = np.full((2, 2), 0.299, dtype=np.float32)
    green = compute_rgb(luma, correct(red, luma, Correction(hue=120)))
    assert (green.argmax(axis=2) == 1).all()


def test_more_saturation_never_turns_the_hue():
    chroma, luma = mask_of("chelsea")
    strong = correct(chroma, luma, Correction(saturation=1.5))
    seen = np.hypot(*np.moveaxis(chroma, 2, 0)) > 0.05
    turn = (hue_of(strong) - hue_of(chroma) + 180) % 360 - 180
    assert np.abs(turn[seen]).max() < 3
    assert np.abs(strong).mean() > 1.2 * np.abs(chroma).mean()


def test_value_scales_the_color():
    chroma, luma = mask_of("coffee")
    assert np.allclose(correct(chroma, luma, Correction(value=0.5)), chroma / 2, atol=1e-4)


chromas = hnp.arrays(np.float32, (3, 3, 2), elements=st.floats(-0.5, 0.5, width=32))
lumas = hnp.arrays(np.float32, (3, 3), elements=st.floats(0, 1, width=32))


@given(lumas, chromas)
def test_the_share_brings_every_color_into_the_gamut(luma, chroma):
    share = compute_gamut_share(luma, chroma)
    rgb = compute_rgb(luma, chroma * share[..., None])
    assert rgb.min() >= -1e-5
    assert rgb.max() <= 1 + 1e-5


@given(lumas, chromas)
def test_the_share_takes_no_more_than_it_must(luma, chroma):
    share = compute_gamut_share(luma, chroma)
    beyond = compute_rgb(luma, chroma * np.minimum(share * 1.01 + 1e-3, 1)[..., None])
    shrunk = (share < 0.99) & (np.abs(chroma).max(axis=2) > 1e-2)
    outside = (beyond.min(axis=2) < 0) | (beyond.max(axis=2) > 1)
    assert outside[shrunk].all()


@given(lumas, chromas, st.floats(0, 4), st.floats(0, 4), st.floats(-360, 360))
def test_every_correction_is_finite(luma, chroma, saturation, value, hue):
    wanted = Correction(saturation=saturation, value=value, hue=hue)
    assert np.isfinite(correct(chroma, luma, wanted)).all()
