import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive_colorizer.training.data.border import border
from archive_colorizer.training.data.crops import to_planes
from tests.photographs import photograph

SEEDS = st.integers(0, 2**32)


def planes():
    return to_planes(photograph("coffee")[100:196, 200:280])


@settings(max_examples=60)
@given(seed=SEEDS, widest=st.floats(0.02, 0.3))
def test_the_middle_stays_and_what_the_border_hides_is_grey(seed, widest):
    luma, chroma = planes()
    black, white = (
        border(np.full_like(luma, level), chroma, widest, np.random.default_rng(seed))
        for level in (0.0, 1.0)
    )
    seen, truth = border(luma, chroma, widest, np.random.default_rng(seed))
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
        border(np.full_like(luma, level), chroma, 0.1, np.random.default_rng(seed))
        for level in (0.0, 1.0)
    )
    np.testing.assert_allclose(white[1], chroma * (white[0] - black[0]), atol=1e-5)


def made(count=200, widest=0.2):
    grey, color = np.full((64, 64), 0.5, np.float32), np.full((2, 64, 64), 0.3, np.float32)
    return [border(grey, color, widest, np.random.default_rng(seed)) for seed in range(count)]


def test_one_to_four_sides_have_one_in_black_or_white():
    sides, levels = [], []
    for seen, truth in made():
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
    softness = [((truth[0] > 0.0) & (truth[0] < 0.3)).sum() for _, truth in made()]
    assert min(softness) < 70 < 150 < max(softness)


@pytest.mark.parametrize("size", [16, 33, 160])
def test_any_size_of_crop_has_a_picture_left(size):
    luma, chroma = np.full((size, size), 0.5, np.float32), np.ones((2, size, size), np.float32)
    for seed in range(60):
        _, truth = border(luma, chroma, 0.3, np.random.default_rng(seed))
        assert truth[0].max() > 0.9
