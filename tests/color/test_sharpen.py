import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.color import sharpen as sharpen_module
from archive_colorizer.color.sharpen import Sharpening, sharpen
from archive_colorizer.color.space import compute_luma
from tests.photographs import at_16_bits, photograph

PLANES = {
    8: compute_luma(photograph("chelsea")),
    16: compute_luma(at_16_bits(photograph("chelsea"))),
}


def by_the_book(luma, how):
    """The unsharp mask in one piece, in float64."""
    white = np.iinfo(luma.dtype).max
    reach = 2 * int(np.ceil(4 * how.radius)) + 1
    exact = luma.astype(np.float64)
    soft = cv2.GaussianBlur(exact, (reach, reach), how.radius, borderType=cv2.BORDER_REPLICATE)
    detail, least = exact - soft, how.threshold * white / 255
    detail = np.sign(detail) * np.maximum(np.abs(detail) - least, 0)
    return np.clip(exact + how.amount * detail, 0, white)


@pytest.mark.parametrize("depth", PLANES)
@pytest.mark.parametrize(
    "how", [Sharpening(0.8), Sharpening(2.0, 5.0, 3.0), Sharpening(1.0, 0.3), Sharpening(0.5, 50.0)]
)
def test_it_is_the_unsharp_mask_at_the_depth_of_the_picture(depth, how):
    luma = PLANES[depth]
    made = sharpen(luma, how)
    assert made.dtype == luma.dtype
    # Float32 sums a blur of 16 bit to about a hundredth of a code, amount times that.
    assert np.abs(made - by_the_book(luma, how)).max() <= 0.5 + 0.1
    assert (made != luma).any()


@pytest.mark.parametrize("strip", [1, 7, 64, 1000])
def test_strips_leave_no_seam(monkeypatch, strip):
    how = Sharpening(1.5, 3.0, 1.0)
    whole = sharpen(PLANES[16], how)
    monkeypatch.setattr(sharpen_module, "_STRIP", strip)
    assert np.abs(sharpen(PLANES[16], how).astype(int) - whole).max() <= 1


@given(st.integers(0, 255), st.floats(0, 5), st.floats(0.3, 9), st.floats(0, 20))
def test_flat_areas_stay_what_they_are(level, amount, radius, threshold):
    flat = np.full((9, 300), level, dtype=np.uint8)
    assert np.array_equal(sharpen(flat, Sharpening(amount, radius, threshold)), flat)


def test_what_is_below_the_threshold_is_left_alone():
    random = np.random.default_rng(3)
    grain = (128 + random.integers(-3, 4, (64, 64))).astype(np.uint8)
    assert np.array_equal(sharpen(grain, Sharpening(3.0, 2.0, 8.0)), grain)
    assert not np.array_equal(sharpen(grain, Sharpening(3.0, 2.0)), grain)


def test_edges_get_steeper():
    luma = PLANES[8]
    before, after = (
        np.abs(np.diff(one.astype(int), axis=1)).mean()
        for one in (luma, sharpen(luma, Sharpening(1.0)))
    )
    assert after > 1.2 * before
