"""Known colors stand where they are, reach what belongs to them, and leave the rest alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive_colorizer.color.propagate import propagate_colors
from archive_colorizer.color.resample import shrink
from archive_colorizer.color.space import compute_chroma, compute_luma
from tests.photographs import photograph

RED, BLUE = (-0.1, 0.25), (0.25, -0.08)


def scene(height=64, width=96, edge=48, step=0.3, grain=0.004, seed=0):
    """Two flat areas with grain, a strong edge between them, and a mask of two quiet colors."""
    noise = np.random.default_rng(seed).normal(0, grain, (height, width))
    luma = np.full((height, width), 0.35) + noise
    luma[:, edge:] += step
    mask = np.full((height, width, 2), 0.02, np.float32)
    mask[:, edge:] = (-0.03, 0.01)
    return luma.astype(np.float32), mask


def strokes(shape, *given):
    """Known colors and where they are held: rows, columns and a color each."""
    known, held = np.zeros((*shape, 2), np.float32), np.zeros(shape, np.float32)
    for rows, columns, color in given:
        known[rows, columns], held[rows, columns] = color, 1
    return known, held


def test_without_a_known_color_the_mask_is_the_same_object():
    luma, mask = scene()
    known, held = strokes(luma.shape)
    assert propagate_colors(mask, luma, known, held) is mask


def test_a_color_fills_its_area_and_stops_at_the_edge():
    luma, mask = scene()
    known, held = strokes(luma.shape, (slice(28, 36), slice(18, 26), RED))
    found = propagate_colors(mask, luma, known, held)
    assert np.array_equal(found[held > 0], known[held > 0])
    near = found[20:44, 12:36]
    assert np.abs(near - RED).max() < 0.02
    assert np.array_equal(found[:, 50:], mask[:, 50:])


def test_two_colors_do_not_bleed_into_one_another_over_an_edge():
    luma, mask = scene()
    here, there = (slice(28, 36), slice(38, 44), RED), (slice(28, 36), slice(52, 58), BLUE)
    found = propagate_colors(mask, luma, *strokes(luma.shape, here, there))
    rows = found[24:40]
    assert np.abs(rows[:, 40:46] - RED).max() < 0.02
    assert np.abs(rows[:, 50:56] - BLUE).max() < 0.02
    # What lies on the left is of the mask or of red, never of blue.
    assert found[:, :47, 0].max() < 0.03


def test_far_away_in_the_same_area_the_mask_remains():
    luma, mask = scene(96, 400, 399)
    found = propagate_colors(mask, luma, *strokes(luma.shape, (slice(40, 48), slice(10, 18), RED)))
    reached = np.hypot(*(found - mask)[44].T)
    assert (np.diff(reached[20:]) <= 1e-4).all()
    assert np.array_equal(found[:, 250:], mask[:, 250:])


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 60),
    st.integers(1, 90),
    st.integers(1, 8),
    st.tuples(st.floats(-0.5, 0.5, width=32), st.floats(-0.5, 0.5, width=32)),
    st.integers(0, 5),
)
def test_every_color_lies_between_the_mask_and_what_is_known(row, column, size, color, seed):
    luma, mask = scene(grain=0.02, seed=seed)
    where = (slice(row, row + size), slice(column, column + size), color)
    known, held = strokes(luma.shape, where)
    found = propagate_colors(mask, luma, known, held)
    assert np.array_equal(found[held > 0], known[held > 0])
    for plane in range(2):
        low = min(mask[..., plane].min(), color[plane])
        high = max(mask[..., plane].max(), color[plane])
        assert low - 2e-3 <= found[..., plane].min()
        assert found[..., plane].max() <= high + 2e-3


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 50), (50, 1), (25, 300), (33, 33)])
def test_any_shape_will_do(height, width):
    luma = np.full((height, width), 0.5, np.float32)
    mask = np.zeros((height, width, 2), np.float32)
    found = propagate_colors(mask, luma, *strokes(luma.shape, (0, 0, RED)))
    assert found.shape == mask.shape
    assert np.array_equal(found[0, 0], np.float32(RED))
    assert np.isfinite(found).all()


def test_a_cup_is_colored_and_the_table_is_not():
    rgb = photograph("coffee")
    luma = shrink(compute_luma(rgb), 256, 384)
    mask = compute_chroma(np.full((256, 384, 3), (0.5, 0.45, 0.4), np.float32))
    known, held = strokes(luma.shape, (slice(112, 118), slice(188, 196), BLUE))
    found = propagate_colors(mask, luma, known, held)
    moved = np.hypot(*(found - mask).transpose(2, 0, 1))
    assert moved[100:124, 170:215].mean() > 0.15
    assert (moved[:, :60] == 0).all()
    assert (moved[200:] == 0).all()
