import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive_colorizer.training.augment import age, film_response, respond
from archive_colorizer.training.data import to_planes
from archive_colorizer.training.recipe import Aging
from tests.photographs import photograph

WORST = Aging(share=1.0, response_share=1.0, grain=0.3, fade=0.9, blur=3.0, jpeg_share=1.0)
BT601 = np.array([0.299, 0.587, 0.114], np.float32)


def planes(name="coffee"):
    return to_planes(photograph(name)[100:196, 200:264])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), name=st.sampled_from(["astronaut", "coffee", "rocket"]))
def test_what_has_aged_is_still_luma(seed, name):
    luma, chroma = planes(name)
    aged = age(luma, chroma, WORST, np.random.default_rng(seed))
    assert aged.shape == luma.shape
    assert aged.dtype == np.float32
    assert np.isfinite(aged).all()
    assert aged.min() >= 0.0
    assert aged.max() <= 1.0


def test_aging_changes_neither_its_input_nor_without_chance_anything():
    luma, chroma = planes()
    before = luma.copy(), chroma.copy()
    never = Aging(share=0.0, response_share=0.0, jpeg_share=0.0)
    np.testing.assert_array_equal(age(luma, chroma, never, np.random.default_rng(1)), luma)
    aged = age(luma, chroma, WORST, np.random.default_rng(1))
    assert np.abs(aged - luma).mean() > 0.01
    np.testing.assert_array_equal(luma, before[0])
    np.testing.assert_array_equal(chroma, before[1])


def test_the_same_chance_ages_the_same_way():
    luma, chroma = planes()
    twice = [age(luma, chroma, WORST, np.random.default_rng(5)) for _ in range(2)]
    np.testing.assert_array_equal(*twice)
    assert np.abs(age(luma, chroma, WORST, np.random.default_rng(6)) - twice[0]).max() > 0.01


def test_the_eye_s_own_weights_give_the_luma_back():
    luma, chroma = planes()
    np.testing.assert_allclose(respond(luma, chroma, BT601), luma, atol=1e-5)


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_a_film_that_sees_one_color_shows_that_channel(channel):
    picture = photograph("coffee")[100:196, 200:264]
    luma, chroma = to_planes(picture)
    seen = respond(luma, chroma, np.eye(3, dtype=np.float32)[channel])
    np.testing.assert_allclose(seen, picture[..., channel] / 255.0, atol=2e-3)


def test_orthochromatic_film_is_blind_to_red():
    rng = np.random.default_rng(0)
    always = Aging(orthochromatic_share=1.0)
    never = Aging(orthochromatic_share=0.0)
    ortho = np.array([film_response(always, rng) for _ in range(200)])
    panchromatic = np.array([film_response(never, rng) for _ in range(200)])
    np.testing.assert_allclose(ortho.sum(1), 1.0, atol=1e-5)
    assert ortho.min() >= 0.0
    assert ortho[:, 0].mean() < 0.08 < 0.25 < panchromatic[:, 0].mean()
