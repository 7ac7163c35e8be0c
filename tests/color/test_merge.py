import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.color.merge import MERGES, merge

LUMA = np.linspace(0, 1, 96, dtype=np.float32)[None].repeat(8, axis=0)
FIRST = np.full((8, 96, 2), (0.05, -0.1), dtype=np.float32)
SECOND = np.full((8, 96, 2), (-0.15, 0.3), dtype=np.float32)
chroma = st.tuples(st.floats(-0.5, 0.5, width=32), st.floats(-0.5, 0.5, width=32))


@pytest.mark.parametrize("mode", MERGES)
@given(chroma, chroma, st.floats(0, 1))
def test_a_merge_lies_between_its_masks(mode, first, second, weight):
    one = np.broadcast_to(np.float32(first), FIRST.shape)
    two = np.broadcast_to(np.float32(second), FIRST.shape)
    made = merge(one, two, LUMA, mode, weight)
    assert made.dtype == np.float32
    low, high = np.minimum(one, two) - 1e-6, np.maximum(one, two) + 1e-6
    assert ((made >= low) & (made <= high)).all()


@pytest.mark.parametrize("mode", MERGES)
def test_weight_zero_is_the_first_and_equal_masks_stay(mode):
    assert np.array_equal(merge(FIRST, SECOND, LUMA, mode, 0), FIRST)
    assert np.allclose(merge(FIRST, FIRST, LUMA, mode, 0.7), FIRST)


def test_the_mean_is_the_mean():
    assert np.allclose(merge(FIRST, SECOND, LUMA, "mean", 0.5), (FIRST + SECOND) / 2)
    assert np.allclose(merge(FIRST, SECOND, LUMA, "mean", 1.0), SECOND)


def test_limited_chroma_keeps_the_way_and_stops_on_it():
    made = merge(FIRST, SECOND, LUMA, "chroma-limited", 1.0) - FIRST
    assert np.allclose(np.hypot(made[..., 0], made[..., 1]), 0.1)
    assert np.allclose(made[..., 0] / made[..., 1], -0.5)
    near = FIRST + np.float32(0.02)
    assert np.allclose(merge(FIRST, near, LUMA, "chroma-limited", 1.0), near)


def test_where_it_is_dark_the_first_is_left_alone():
    made = merge(FIRST, SECOND, LUMA, "luma-masked", 1.0)
    assert np.array_equal(made[LUMA <= 0.2], FIRST[LUMA <= 0.2])
    assert np.allclose(made[LUMA >= 0.8], SECOND[LUMA >= 0.8])
    assert (np.diff(made[0, :, 1]) >= -1e-6).all()


def test_a_dark_picture_gets_less_of_the_second():
    shares = [
        (merge(FIRST, SECOND, np.full_like(LUMA, grey), "luma-weighted", 1.0) - FIRST)[0, 0, 1]
        / 0.4
        for grey in (0.0, 0.1, 0.4, 0.8, 1.0)
    ]
    assert np.allclose(shares, [0.15, 0.15, 0.5, 1.0, 1.0])


@pytest.mark.parametrize("size", [(4, 48), (16, 192), (5, 200)])
def test_masks_of_other_sizes_are_brought_to_the_first(size):
    other = np.broadcast_to(np.float32((-0.15, 0.3)), (*size, 2))
    made = merge(FIRST, np.ascontiguousarray(other), LUMA, "mean", 0.5)
    assert np.allclose(made, (FIRST + SECOND) / 2, atol=1e-6)
