from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive_colorizer.training.config import Aging
from archive_colorizer.training.data.augment import (
    add_blur,
    add_grain,
    add_jpeg_artifacts,
    age,
    apply_film_response,
    change_tone,
    draw_film_response,
)
from archive_colorizer.training.data.crops import to_planes
from tests.photographs import photograph
from tests.training.conftest import without_aging

SHARES = [f.name for f in fields(Aging) if f.name.endswith("share")]
STRONGEST = dict.fromkeys((f.name for f in fields(Aging)), 1.0) | {"blur": 4.0, "border": 0.3}
KINDS = [name for name in SHARES if name != "orthochromatic_share"]
BT601 = np.array([0.299, 0.587, 0.114], np.float32)


def planes(name="coffee", height=96, width=64):
    return to_planes(photograph(name)[100 : 100 + height, 200 : 200 + width])


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    kind=st.sampled_from([*KINDS, "all"]),
    name=st.sampled_from(["astronaut", "coffee", "rocket"]),
    height=st.integers(8, 70),
    width=st.integers(8, 70),
)
def test_what_has_aged_is_still_luma_and_chroma(seed, kind, name, height, width):
    luma, chroma = planes(name, height, width)
    aging = Aging(**(STRONGEST | {k: float(kind in (k, "all")) for k in KINDS}))
    aged, truth = age(luma, chroma, aging, np.random.default_rng(seed))
    assert aged.shape == luma.shape
    assert truth.shape == chroma.shape
    assert aged.dtype == truth.dtype == np.float32
    assert np.isfinite(aged).all()
    assert aged.min() >= 0.0
    assert aged.max() <= 1.0
    assert (np.abs(truth) <= np.abs(chroma)).all()


@pytest.mark.parametrize("name", ["astronaut", "coffee", "rocket"])
def test_without_chance_a_crop_comes_back_bit_for_bit(name):
    luma, chroma = planes(name)
    aged, truth = age(luma, chroma, without_aging(), np.random.default_rng(1))
    assert aged is not luma
    assert aged.tobytes() == luma.tobytes()
    assert truth.tobytes() == chroma.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_a_share_of_its_own_and_leaves_its_input_alone(kind):
    luma, chroma = planes()
    before = luma.copy(), chroma.copy()
    only = Aging(**{share: float(share == kind) for share in SHARES})
    changed = []
    for seed in range(12):
        aged, truth = age(luma, chroma, only, np.random.default_rng(seed))
        changed.append(np.abs(aged - luma).max() > 0.004)
        assert kind == "border_share" or truth is chroma
    assert sum(changed) >= 8
    np.testing.assert_array_equal(luma, before[0])
    np.testing.assert_array_equal(chroma, before[1])


def test_the_same_chance_ages_the_same_way():
    luma, chroma = planes()
    worst = Aging(**STRONGEST)
    first, again = (age(luma, chroma, worst, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    other, _ = age(luma, chroma, worst, np.random.default_rng(6))
    assert np.abs(other - first[0]).max() > 0.01


def test_with_the_settings_given_most_crops_stay_without_a_mark():
    luma, chroma = planes("astronaut")
    no_tone = Aging(share=0.0, response_share=0.0, jpeg_share=0.0)
    aged = [age(luma, chroma, no_tone, np.random.default_rng(seed))[0] for seed in range(600)]
    touched = np.mean([not np.array_equal(one, luma) for one in aged])
    assert 0.25 < touched < 0.45


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32), fade=st.floats(0.0, 1.0))
def test_tone_keeps_the_order_of_brightness_and_fading_its_range(seed, fade):
    ramp = np.linspace(0.0, 1.0, 256, dtype=np.float32)[None]
    toned = change_tone(ramp, fade, np.random.default_rng(seed))
    assert np.diff(toned).min() >= -1e-6
    assert toned.min() >= 0.0
    assert 1.0 - fade - 1e-5 <= toned.max() - toned.min() <= 1.0 + 1e-6


def test_blur_keeps_the_mean_and_takes_the_detail():
    luma, _ = planes()
    blurred = add_blur(luma, 4.0, np.random.default_rng(3))
    assert abs(float(blurred.mean() - luma.mean())) < 0.01
    detail, left = (np.abs(np.diff(one, n=2)).mean() for one in (luma, blurred))
    assert left < 0.5 * detail


def test_grain_is_never_stronger_than_asked_for_and_mostly_weak():
    grey = np.full((64, 64), 0.5, np.float32)
    spread = [add_grain(grey, 0.1, np.random.default_rng(seed)).std() for seed in range(200)]
    assert max(spread) < 0.13
    assert np.median(spread) < 0.04 < max(spread)


def test_jpeg_loses_more_at_a_lower_quality():
    luma, _ = planes("astronaut")
    losses = [np.abs(add_jpeg_artifacts(luma, quality) - luma).mean() for quality in (95, 40)]
    assert 0.0 < losses[0] < losses[1] < 0.05


def test_the_eye_s_own_weights_give_the_luma_back():
    luma, chroma = planes()
    np.testing.assert_allclose(apply_film_response(luma, chroma, BT601), luma, atol=1e-5)


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_a_film_that_sees_one_color_shows_that_channel(channel):
    picture = photograph("coffee")[100:196, 200:264]
    luma, chroma = to_planes(picture)
    seen = apply_film_response(luma, chroma, np.eye(3, dtype=np.float32)[channel])
    np.testing.assert_allclose(seen, picture[..., channel] / 255.0, atol=2e-3)


def test_orthochromatic_film_is_blind_to_red():
    rng = np.random.default_rng(0)
    always = Aging(orthochromatic_share=1.0)
    never = Aging(orthochromatic_share=0.0)
    ortho = np.array([draw_film_response(always, rng) for _ in range(200)])
    panchromatic = np.array([draw_film_response(never, rng) for _ in range(200)])
    np.testing.assert_allclose(ortho.sum(1), 1.0, atol=1e-5)
    assert ortho.min() >= 0.0
    assert ortho[:, 0].mean() < 0.08 < 0.25 < panchromatic[:, 0].mean()
