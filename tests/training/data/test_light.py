import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive_colorizer.training.data.augment import add_halation, add_shading, add_tarnish
from archive_colorizer.training.data.crops import to_planes
from tests.photographs import photograph

SEEDS = st.integers(0, 2**32)
STRENGTHS = st.floats(0.0, 1.0)


def luma_of(name="astronaut"):
    return to_planes(photograph(name)[40:136, 150:246])[0]


@pytest.mark.parametrize("change", [add_halation, add_shading, add_tarnish])
def test_at_strength_0_nothing_happens(change):
    luma = luma_of()
    for seed in range(10):
        changed = change(luma, 0.0, np.random.default_rng(seed))
        np.testing.assert_allclose(changed, luma, atol=1e-6)


@settings(max_examples=30)
@given(seed=SEEDS, strength=STRENGTHS, name=st.sampled_from(["astronaut", "coffee", "rocket"]))
def test_halation_never_darkens(seed, strength, name):
    luma = luma_of(name)
    assert (add_halation(luma, strength, np.random.default_rng(seed)) >= luma).all()


def test_halation_surrounds_a_lamp_and_fades_with_distance():
    night = np.full((96, 96), 0.1, np.float32)
    night[40:56, 40:56] = 1.0
    for seed in range(10):
        glow = add_halation(night, 1.0, np.random.default_rng(seed)) - night
        beside, further, corner = glow[48, 60], glow[48, 72], glow[2, 2]
        assert beside > further > corner
        assert beside > 0.03


def test_halation_needs_something_bright():
    dusk = np.full((64, 64), 0.3, np.float32)
    assert np.abs(add_halation(dusk, 1.0, np.random.default_rng(1)) - dusk).max() < 0.02


@settings(max_examples=40)
@given(seed=SEEDS, strength=STRENGTHS)
def test_uneven_light_changes_slowly_and_by_no_more_than_its_strength(seed, strength):
    wall = np.full((64, 80), 0.7, np.float32)
    shaded = add_shading(wall, strength, np.random.default_rng(seed))
    assert np.abs(np.diff(shaded, axis=0)).max() < 0.04
    assert np.abs(np.diff(shaded, axis=1)).max() < 0.04
    assert shaded.min() >= 0.7 * (1.0 - max(strength, 1e-6)) - 1e-5


def test_uneven_light_darkens_some_crops_and_fades_others():
    ramp = np.tile(np.linspace(0.0, 1.0, 64, dtype=np.float32), (64, 1))
    made = [add_shading(ramp, 0.8, np.random.default_rng(seed)) for seed in range(40)]
    blacks = np.array([one[:, 0].max() for one in made])
    assert (blacks == 0.0).sum() > 10
    assert (blacks > 0.05).sum() > 5


@settings(max_examples=30)
@given(seed=SEEDS, strength=STRENGTHS)
def test_tarnish_greys_the_darks_and_leaves_the_lights(seed, strength):
    rng = np.random.default_rng(seed)
    dark = add_tarnish(np.full((64, 64), 0.05, np.float32), strength, rng)
    light = add_tarnish(np.full((64, 64), 0.85, np.float32), strength, rng)
    assert (dark >= np.float32(0.05)).all()
    assert dark.max() <= 0.8
    np.testing.assert_array_equal(light, np.float32(0.85))


def test_tarnish_comes_from_the_edges():
    dark = np.full((64, 64), 0.05, np.float32)
    for seed in range(20):
        gain = add_tarnish(dark, 1.0, np.random.default_rng(seed)) - dark
        edges = max(gain[0].mean(), gain[-1].mean(), gain[:, 0].mean(), gain[:, -1].mean())
        assert edges > 1.7 * gain[24:40, 24:40].mean()
