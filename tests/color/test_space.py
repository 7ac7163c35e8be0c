import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from archive_colorizer.color.space import (
    compute_chroma,
    compute_luma,
    compute_rgb,
    convert_rgb_to_lab,
    get_white,
)
from tests.photographs import NAMES, at_16_bits, photograph

pictures = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 6), st.integers(1, 6), st.just(3)),
    elements=st.floats(0, 1, width=32),
)


@given(pictures)
def test_luma_and_chroma_hold_the_whole_picture(rgb):
    luma = (rgb @ np.array([0.299, 0.587, 0.114], dtype=np.float32)).astype(np.float32)
    assert np.abs(compute_rgb(luma, compute_chroma(rgb)) - rgb).max() < 2e-6


@given(pictures)
def test_chroma_stays_in_its_range(rgb):
    assert np.abs(compute_chroma(rgb)).max() <= 0.5 + 1e-6


def test_chroma_of_the_primaries_is_that_of_the_standard():
    primaries = np.array([[[1, 0, 0], [0, 1, 0], [0, 0, 1]]], dtype=np.float32)
    expected = [[-0.168736, 0.5], [-0.331264, -0.418688], [0.5, -0.081312]]
    assert np.allclose(compute_chroma(primaries)[0], expected, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_luma_of_a_photograph_equals_that_of_opencv(name):
    ours = compute_luma(photograph(name)).astype(int)
    theirs = cv2.cvtColor(photograph(name), cv2.COLOR_RGB2GRAY).astype(int)
    assert np.abs(ours - theirs).max() <= 1


def test_luma_at_16_bits_is_rounded_at_16_bits():
    rgb = at_16_bits(photograph("coffee"))
    exact = rgb.astype(np.float64) @ [0.299, 0.587, 0.114]
    luma = compute_luma(rgb)
    assert luma.dtype == np.uint16
    assert np.abs(luma - exact).max() <= 0.51


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_keeps_its_code_value(dtype):
    white = np.iinfo(dtype).max
    ramp = np.linspace(0, white, 4096).astype(dtype)[None, :]
    assert get_white(ramp) == white
    assert np.array_equal(compute_luma(np.repeat(ramp[..., None], 3, axis=2)), ramp)


def test_lab_goes_there_and_back():
    rgb = photograph("chelsea").astype(np.float32) / 255
    back = cv2.cvtColor(convert_rgb_to_lab(rgb), cv2.COLOR_Lab2RGB)
    assert np.abs(back - rgb).max() < 2e-3
