"""The visible mark changes its corner and nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.color.space import compute_luma
from archive_colorizer.image.luma_difference import LumaDifference
from archive_colorizer.image.watermark import MIN_SIDE, draw_mark, locate_mark
from tests.photographs import at_16_bits, photograph


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("name", ["chelsea", "coffee"])
def test_only_the_corner_changes(name, depth):
    rgb = photograph(name)
    luma = compute_luma(rgb if depth == 8 else at_16_bits(rgb))
    marked = draw_mark(luma)
    assert marked.dtype == luma.dtype
    assert not np.array_equal(marked, luma)
    changed = np.argwhere(marked != luma)
    top, left, bottom, right = locate_mark(*luma.shape)
    assert changed.min(axis=0).tolist() >= [top, left]
    assert (changed.max(axis=0) < (bottom, right)).all()
    assert LumaDifference.compare(luma, marked, (top, left, bottom, right)).maximum == 0
    assert LumaDifference.compare(luma, marked).maximum > 1


@pytest.mark.parametrize("ground", [0, 128, 255])
def test_it_can_be_read_on_any_ground(ground):
    luma = np.full((600, 800), ground, np.uint8)
    marked = draw_mark(luma).astype(int)
    top, left, bottom, right = locate_mark(600, 800)
    corner = marked[top:bottom, left:right]
    assert np.ptp(corner) > 70
    assert ((corner > ground + 50) | (corner < ground - 50)).mean() > 0.05


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_it_is_translucent(dtype):
    """What lies under the words still shows."""
    white = np.iinfo(dtype).max
    dark, light = (np.full((400, 600), round(white * share), dtype) for share in (0.2, 0.7))
    box = locate_mark(400, 600)
    inside = np.s_[box[0] : box[2], box[1] : box[3]]
    assert (draw_mark(light)[inside] > draw_mark(dark)[inside]).all()


def test_small_pictures_are_left_alone():
    luma = np.full((MIN_SIDE - 1, 4000), 100, np.uint8)
    assert locate_mark(*luma.shape) is None
    assert draw_mark(luma) is luma


@given(st.integers(MIN_SIDE, 3000), st.integers(MIN_SIDE, 3000))
def test_the_box_lies_inside_every_picture(height, width):
    top, left, bottom, right = locate_mark(height, width)
    assert 0 < top < bottom < height
    assert 0 < left < right < width
    assert (bottom - top) * (right - left) < 0.1 * height * width


def test_planes_of_other_shapes_or_depths_are_unlike():
    luma = np.zeros((4, 4), np.uint8)
    assert LumaDifference.compare(luma, luma[:3]).maximum == 255
    assert LumaDifference.compare(luma.astype(np.uint16), luma).maximum == 65535
    assert "4 x 4 uint16" in LumaDifference.compare(luma.astype(np.uint16), luma).summary
