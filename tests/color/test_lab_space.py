import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.color.space import (
    compute_chroma,
    compute_lightness,
    compute_rgb,
    convert_ab_to_chroma,
)

color = pytest.importorskip("skimage.color", reason="Lab is checked against scikit-image")

CODE = 1 / 255
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def one(rgb):
    return np.array([[rgb]], dtype=np.float32)


def test_lightness_of_greys_is_that_of_scikit_image():
    greys = np.linspace(0, 1, 1025, dtype=np.float32)[None]
    exact = color.rgb2lab(np.repeat(greys[..., None], 3, axis=2).astype(float))[..., 0]
    assert np.abs(compute_lightness(greys) - exact).max() < 1e-3


channel = st.floats(0.0, 1.0, width=32)


@given(st.tuples(channel, channel, channel))
def test_any_color_comes_back_from_its_luma_and_its_ab(rgb):
    ab = color.rgb2lab(one(rgb).astype(float))[..., 1:].astype(np.float32)
    found = convert_ab_to_chroma(one(rgb) @ LUMA, ab)
    # scikit-image cuts the curve of sRGB at another place than it bends, which shows near black.
    assert np.abs(found - compute_chroma(one(rgb))).max() < 0.1 * CODE


@given(channel, st.floats(-128, 127, width=32), st.floats(-128, 127, width=32))
def test_a_color_outside_of_the_gamut_keeps_the_luma_and_is_finite(grey, a, b):
    luma = np.full((1, 1), grey, dtype=np.float32)
    found = convert_ab_to_chroma(luma, one((a, b))[..., :2])
    assert np.isfinite(found).all()
    assert np.abs(compute_rgb(luma, found) @ LUMA - luma).max() < 1e-5


def test_no_ab_is_no_color():
    luma = np.linspace(0, 1, 256, dtype=np.float32)[None]
    assert np.abs(convert_ab_to_chroma(luma, np.zeros((1, 256, 2), np.float32))).max() < 1e-6
