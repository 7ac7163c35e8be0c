import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive_colorizer.training.data.crops import to_planes
from archive_colorizer.training.data.damage import (
    add_border,
    add_cracks,
    add_dust,
    add_fold,
    add_halftone,
    add_scratches,
    add_stain,
)
from tests.photographs import photograph

SEEDS = st.integers(0, 2**32)
GREY = np.full((128, 128), 0.5, np.float32)


def test_at_strength_0_nothing_happens():
    luma = to_planes(photograph("chelsea")[40:136, 150:246])[0]
    for change in (add_scratches, add_dust, add_stain, add_halftone, add_cracks):
        for seed in range(10):
            np.testing.assert_allclose(
                change(luma, 0.0, np.random.default_rng(seed)), luma, atol=1e-6
            )


@pytest.mark.parametrize(
    ("change", "limit"), [(add_scratches, 0.12), (add_dust, 0.03), (add_cracks, 0.3)]
)
def test_marks_cover_little_and_show(change, limit):
    for seed in range(60):
        off = np.abs(change(GREY, 1.0, np.random.default_rng(seed)) - GREY)
        assert (off > 0.02).mean() < limit
    assert off.max() > 0.05


def test_scratches_change_only_thin_lines():
    for seed in range(60):
        changed = np.abs(add_scratches(GREY, 1.0, np.random.default_rng(seed)) - GREY) > 0.02
        thick = cv2.morphologyEx(changed.astype(np.uint8), cv2.MORPH_OPEN, np.ones((9, 9)))
        assert not thick.any()


def test_scratches_are_long_and_mostly_upright():
    tall = wide = 0
    for seed in range(80):
        changed = np.abs(add_scratches(GREY, 1.0, np.random.default_rng(seed)) - GREY) > 0.02
        tall += int(changed.any(axis=1).sum())
        wide += int(changed.any(axis=0).sum())
    assert tall > 80 * 50
    assert tall > 2 * wide


def test_a_fold_reaches_from_side_to_side_and_a_tear_ends_inside():
    lengths = []
    for seed in range(60):
        folded = add_fold(GREY, 1.0, np.random.default_rng(seed))
        assert folded.min() >= 0.0
        assert folded.max() <= 1.0
        changed = np.abs(folded - GREY) > 0.15
        lengths.append(max(changed.any(axis=0).sum(), changed.any(axis=1).sum()))
    assert (np.array(lengths) > 110).mean() > 0.3
    assert (np.array(lengths) < 100).any()


@pytest.mark.parametrize("change", [add_scratches, add_dust])
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
        changed = (add_dust(GREY, 1.0, np.random.default_rng(seed)) != GREY).astype(np.uint8)
        thick = cv2.morphologyEx(changed, cv2.MORPH_OPEN, np.ones((9, 9)))
        assert not thick.any()
        largest = max(largest, int(changed.sum()))
    assert largest > 50


@settings(max_examples=30)
@given(seed=SEEDS, strength=st.floats(0.0, 1.0))
def test_stains_only_darken_and_spare_the_darks(seed, strength):
    luma = np.tile(np.linspace(0.0, 1.0, 64, dtype=np.float32), (64, 1))
    lost = luma - add_stain(luma, strength, np.random.default_rng(seed))
    assert lost.min() >= 0.0
    assert (lost <= strength * luma + 1e-6).all()


@settings(max_examples=30)
@given(seed=SEEDS, grey=st.floats(0.0, 1.0))
def test_a_screen_keeps_the_mean_and_white_paper_white(seed, grey):
    plain = np.full((96, 96), grey, np.float32)
    printed = add_halftone(plain, 0.5, np.random.default_rng(seed))
    assert abs(float(printed.mean(dtype=np.float64)) - grey) < 0.01
    if grey in (0.0, 1.0):
        np.testing.assert_array_equal(printed, plain)


def test_a_screen_is_one_fine_grid():
    for seed in range(10):
        printed = add_halftone(GREY, 0.5, np.random.default_rng(seed)) - GREY
        power = np.abs(np.fft.rfft2(printed)) ** 2
        row, column = np.unravel_index(int(power.argmax()), power.shape)
        pitch = 128 / np.hypot(min(row, 128 - row), column)
        assert 2.2 < pitch < 4.6


def planes():
    return to_planes(photograph("coffee")[100:196, 200:280])


@settings(max_examples=60)
@given(seed=SEEDS, widest=st.floats(0.02, 0.3))
def test_the_middle_stays_and_what_the_border_hides_is_grey(seed, widest):
    luma, chroma = planes()
    black, white = (
        add_border(np.full_like(luma, level), chroma, widest, np.random.default_rng(seed))
        for level in (0.0, 1.0)
    )
    seen, truth = add_border(luma, chroma, widest, np.random.default_rng(seed))
    # Where a black and a white picture look the same, nothing of the picture is left.
    hidden = white[0] - black[0] < 1e-6
    assert (np.abs(truth[:, hidden]) < 1e-6).all()
    middle = np.s_[44:52, 36:44]
    np.testing.assert_array_equal(seen[middle], luma[middle])
    np.testing.assert_array_equal(truth[:, *middle], chroma[:, *middle])
    assert hidden.mean() < 0.9


@settings(max_examples=40)
@given(seed=SEEDS)
def test_color_goes_exactly_as_far_as_the_picture_does(seed):
    luma, chroma = planes()
    black, white = (
        add_border(np.full_like(luma, level), chroma, 0.1, np.random.default_rng(seed))
        for level in (0.0, 1.0)
    )
    np.testing.assert_allclose(white[1], chroma * (white[0] - black[0]), atol=1e-5)


def draw_borders(count=200, widest=0.2):
    grey, color = np.full((64, 64), 0.5, np.float32), np.full((2, 64, 64), 0.3, np.float32)
    return [add_border(grey, color, widest, np.random.default_rng(seed)) for seed in range(count)]


def test_one_to_four_sides_have_one_in_black_or_white():
    sides, levels = [], []
    for seen, truth in draw_borders():
        hidden = truth[0] == 0.0
        edges = (hidden[0, 32], hidden[-1, 32], hidden[32, 0], hidden[32, -1])
        sides.append(sum(map(int, edges)))
        levels.extend(seen[hidden])
    assert {1, 2, 3, 4} <= set(sides)
    assert np.mean(np.array(sides) == 0) < 0.1, "too narrow to be seen, and rare"
    shares = np.histogram(levels, [0.0, 0.1, 0.8, 1.01])[0] / len(levels)
    assert shares[0] > 0.3
    assert shares[2] > 0.15
    assert shares[1] < 0.1, "only where one border ends in another"


def test_some_corners_are_round_and_some_edges_soft():
    softness = [((truth[0] > 0.0) & (truth[0] < 0.3)).sum() for _, truth in draw_borders()]
    assert min(softness) < 70 < 150 < max(softness)


@pytest.mark.parametrize("size", [16, 33, 160])
def test_any_size_of_crop_has_a_picture_left(size):
    luma, chroma = np.full((size, size), 0.5, np.float32), np.ones((2, size, size), np.float32)
    for seed in range(60):
        _, truth = add_border(luma, chroma, 0.3, np.random.default_rng(seed))
        assert truth[0].max() > 0.9
