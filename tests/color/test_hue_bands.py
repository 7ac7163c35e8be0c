import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.color.correct import Correction, HueBand, correct, sum_bands
from tests.color.test_correct import mask_of

HUES = np.arange(0, 360, 0.125, dtype=np.float32)

begins = st.floats(0, 360)
widths = st.floats(1, 360)
softs = st.floats(1, 180)
bands = st.builds(
    HueBand,
    begins,
    widths,
    softs,
    st.floats(-180, 180),
    st.floats(0, 4),
    st.floats(0, 4),
)


@given(begins, widths, softs)
def test_a_weight_is_continuous_and_within_bounds(begin, width, soft):
    weight = HueBand(begin, width, soft).compute_weight(HUES)
    assert weight.min() >= 0
    assert weight.max() <= 1
    # The steepest place of a smoothstep is 1.5 over its length; two edges may lie together.
    step = np.abs(np.diff(np.append(weight, weight[0]))).max()
    assert step <= 2 * 1.5 * 0.125 / soft + 1e-4


@given(begins, widths, softs, st.floats(-720, 720))
def test_a_band_that_goes_through_360_is_one_that_was_turned(begin, width, soft, turn):
    here = HueBand(begin, width, soft).compute_weight(HUES)
    there = HueBand(begin + turn, width, soft).compute_weight(np.asarray(HUES + turn, np.float32))
    # Float32 holds hues of some hundred degrees to 3e-5, and soft may be 1 degree.
    assert np.abs(here - there).max() < 1e-3


@given(begins, st.floats(20, 340), st.floats(0, 20))
def test_bands_that_meet_add_up_to_one(begin, width, soft):
    both = [HueBand(begin, width, soft), HueBand(begin + width, 360 - width, soft)]
    total = both[0].compute_weight(HUES) + both[1].compute_weight(HUES)
    # Where edges are hard, the hue at an edge may fall on either side by rounding.
    assert np.count_nonzero(np.abs(total - 1) > 1e-3) <= (2 if soft < 0.1 else 0)


@given(softs)
def test_the_whole_circle_has_no_seam(soft):
    assert HueBand(37.0, 360.0, soft).compute_weight(HUES).min() > 1 - 1e-4


def test_inside_and_outside_of_the_soft_edges():
    hues = np.array([0, 14.9, 20, 25.1, 40, 54.9, 60, 65.1, 200], dtype=np.float32)
    weight = HueBand(20.0, 40.0, 10.0).compute_weight(hues)
    assert np.abs(weight - [0, 0, 0.5, 1, 1, 1, 0.5, 0, 0]).max() < 2e-3


@given(st.lists(bands, min_size=2, max_size=4), st.randoms())
def test_the_order_of_bands_does_not_matter(several, random):
    other = list(several)
    random.shuffle(other)
    for one, two in zip(sum_bands(HUES, several), sum_bands(HUES, other), strict=True):
        assert np.abs(one - two).max() < 1e-3


@pytest.mark.parametrize("idle", [HueBand(20, 40, 10), HueBand(0, 360, 5, shift=360.0)])
def test_idle_bands_change_no_bit(idle):
    chroma, luma = mask_of("astronaut")
    assert np.array_equal(
        correct(chroma, luma, Correction(bands=(idle,))), correct(chroma, luma, Correction())
    )


def test_a_band_leaves_all_other_hues_bit_for_bit():
    chroma, luma = mask_of("coffee")
    before = correct(chroma, luma, Correction())
    after = correct(chroma, luma, Correction(bands=(HueBand(180, 100, 20, saturation=0.0),)))
    changed = (before != after).any(axis=2)
    assert 0.005 < changed.mean() < 0.6
    # Cb below 0 and Cr above 0: oranges, at the other side of the circle.
    orange = (chroma[..., 0] < -0.03) & (chroma[..., 1] > 0.03)
    assert orange.any()
    assert not changed[orange].any()


def test_a_band_greys_its_hues():
    chroma, luma = mask_of("coffee")
    reds = HueBand(330, 90, 10, saturation=0.0)
    after = correct(chroma, luma, Correction(bands=(reds,)))
    red = (chroma[..., 1] > 0.1) & (np.abs(chroma[..., 0] + 0.02) < 0.02)
    assert red.any()
    assert np.abs(after[red]).max() < 0.02


def test_one_band_of_all_hues_is_a_correction_of_the_whole():
    chroma, luma = mask_of("chelsea")
    whole = correct(chroma, luma, Correction(hue=12.0, saturation=0.7, value=1.1))
    band = HueBand(0.0, 360.0, 15.0, shift=12.0, saturation=0.7, value=1.1)
    assert np.abs(whole - correct(chroma, luma, Correction(bands=(band,)))).max() < 1e-4


@given(bands, st.floats(0, 359))
def test_a_correction_is_continuous_across_soft_edges(band, hue):
    """Two neighboring colors stay neighbors: no edge appears where hues pass slowly."""
    turns = np.radians(np.linspace(hue, hue + 0.05, 2, dtype=np.float32))
    chroma = 0.1 * np.stack((np.cos(turns), np.sin(turns)), axis=1)[None].astype(np.float32)
    luma = np.full((1, 2), 0.5, dtype=np.float32)
    after = correct(chroma, luma, Correction(bands=(band,)))
    assert np.abs(after[0, 1] - after[0, 0]).max() < 0.1
