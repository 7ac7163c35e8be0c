import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive_colorizer.training.data.crops import to_planes
from archive_colorizer.training.data.damage import dust, scratch, screen, stain
from tests.photographs import photograph

SEEDS = st.integers(0, 2**32)
GREY = np.full((128, 128), 0.5, np.float32)


def test_at_strength_0_nothing_happens():
    luma = to_planes(photograph("chelsea")[40:136, 150:246])[0]
    for change in (scratch, dust, stain, screen):
        for seed in range(10):
            np.testing.assert_allclose(
                change(luma, 0.0, np.random.default_rng(seed)), luma, atol=1e-6
            )


@pytest.mark.parametrize(("change", "limit"), [(scratch, 0.12), (dust, 0.03)])
def test_marks_cover_little_and_show(change, limit):
    for seed in range(60):
        off = np.abs(change(GREY, 1.0, np.random.default_rng(seed)) - GREY)
        assert (off > 0.02).mean() < limit
    assert off.max() > 0.05


def test_scratches_change_only_thin_lines():
    for seed in range(60):
        changed = np.abs(scratch(GREY, 1.0, np.random.default_rng(seed)) - GREY) > 0.02
        thick = cv2.morphologyEx(changed.astype(np.uint8), cv2.MORPH_OPEN, np.ones((9, 9)))
        assert not thick.any()


def test_scratches_are_long_and_mostly_upright():
    tall = wide = 0
    for seed in range(80):
        changed = np.abs(scratch(GREY, 1.0, np.random.default_rng(seed)) - GREY) > 0.02
        tall += int(changed.any(axis=1).sum())
        wide += int(changed.any(axis=0).sum())
    assert tall > 80 * 50
    assert tall > 2 * wide


@pytest.mark.parametrize("change", [scratch, dust])
def test_marks_of_one_crop_are_all_light_or_all_dark_and_both_occur(change):
    signs = []
    for seed in range(40):
        off = change(GREY, 1.0, np.random.default_rng(seed)) - GREY
        assert (off >= 0).all() or (off <= 0).all()
        signs.append(np.sign(off.sum()))
    assert 1.0 in signs
    assert -1.0 in signs


def test_specks_are_small():
    largest = 0
    for seed in range(40):
        changed = (dust(GREY, 1.0, np.random.default_rng(seed)) != GREY).astype(np.uint8)
        thick = cv2.morphologyEx(changed, cv2.MORPH_OPEN, np.ones((9, 9)))
        assert not thick.any()
        largest = max(largest, int(changed.sum()))
    assert largest > 50


@settings(max_examples=30)
@given(seed=SEEDS, strength=st.floats(0.0, 1.0))
def test_stains_only_darken_and_spare_the_darks(seed, strength):
    luma = np.tile(np.linspace(0.0, 1.0, 64, dtype=np.float32), (64, 1))
    lost = luma - stain(luma, strength, np.random.default_rng(seed))
    assert lost.min() >= 0.0
    assert (lost <= strength * luma + 1e-6).all()


@settings(max_examples=30)
@given(seed=SEEDS, grey=st.floats(0.0, 1.0))
def test_a_screen_keeps_the_mean_and_white_paper_white(seed, grey):
    plain = np.full((96, 96), grey, np.float32)
    printed = screen(plain, 0.5, np.random.default_rng(seed))
    assert abs(float(printed.mean(dtype=np.float64)) - grey) < 0.01
    if grey in (0.0, 1.0):
        np.testing.assert_array_equal(printed, plain)


def test_a_screen_is_one_fine_grid():
    for seed in range(10):
        printed = screen(GREY, 0.5, np.random.default_rng(seed)) - GREY
        power = np.abs(np.fft.rfft2(printed)) ** 2
        row, column = np.unravel_index(int(power.argmax()), power.shape)
        pitch = 128 / np.hypot(min(row, 128 - row), column)
        assert 2.2 < pitch < 4.6
