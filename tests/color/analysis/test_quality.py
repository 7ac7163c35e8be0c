"""Each fault of color, made on purpose, is seen; the true colors of photographs are not blamed."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.color.analysis.quality import (
    measure_blotches,
    measure_clipping,
    measure_hue_dominance,
    measure_skin_distance,
    measure_strength,
)
from archive_colorizer.color.space import compute_chroma
from archive_colorizer.recipe.recipe import Recipe
from tests.photographs import photograph

NAMES = ("astronaut", "chelsea", "coffee", "rocket")
USUAL = Recipe()
FACE = (30, 85, 95, 140)


def parts(name):
    picture = photograph(name)
    width = round(picture.shape[1] * 256 / picture.shape[0])
    rgb = cv2.resize(picture, (width, 256), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return rgb @ np.array([0.299, 0.587, 0.114], dtype=np.float32), compute_chroma(rgb)


def _one_color(chroma):
    return measure_hue_dominance(chroma, measure_strength(chroma))


@pytest.mark.parametrize("name", NAMES)
def test_true_colors_are_not_blamed(name):
    luma, chroma = parts(name)
    assert measure_strength(chroma) > USUAL.weak_grey
    assert _one_color(chroma) < USUAL.weak_one_color
    assert measure_blotches(chroma, luma) < USUAL.weak_blotches
    assert measure_clipping(chroma, luma) < USUAL.weak_clipped


@pytest.mark.parametrize("name", NAMES)
def test_faded_to_grey(name):
    _, chroma = parts(name)
    assert measure_strength(chroma * 0.05) < USUAL.weak_grey


@pytest.mark.parametrize("name", NAMES)
def test_one_color_over_everything(name):
    luma, chroma = parts(name)
    wash = np.zeros_like(chroma) + np.array([-0.05, 0.04], dtype=np.float32)
    assert _one_color(wash * luma[..., None]) > USUAL.weak_one_color
    assert _one_color(wash + 0.05 * chroma) > USUAL.weak_one_color


@pytest.mark.parametrize("name", NAMES)
def test_blotches_that_ignore_edges(name):
    luma, chroma = parts(name)
    clouds = np.random.default_rng(7).normal(size=(11, 14, 2)).astype(np.float32) * 0.08
    spread = cv2.resize(clouds, luma.shape[::-1], interpolation=cv2.INTER_CUBIC)
    assert measure_blotches(chroma + spread, luma) > USUAL.weak_blotches


def test_color_that_follows_an_edge_is_no_blotch():
    luma = np.full((256, 256), 0.3, dtype=np.float32)
    luma[64:192, 64:192] = 0.7
    chroma = np.stack([luma - 0.5, 0.5 - luma], axis=2) / 2
    assert measure_blotches(chroma, luma) < USUAL.weak_blotches / 3
    assert measure_blotches(chroma, np.full_like(luma, 0.5)) > USUAL.weak_blotches


def test_oversaturated_color_is_clipped():
    luma, chroma = parts("astronaut")
    assert measure_clipping(chroma * 6, luma) > USUAL.weak_clipped


def test_skin_that_is_green_or_blue_is_odd_and_real_skin_is_not():
    _, chroma = parts("astronaut")
    real, turned = measure_skin_distance(chroma, [FACE]), measure_skin_distance(-chroma, [FACE])
    assert real is not None
    assert turned is not None
    assert real < USUAL.weak_skin < turned
    assert measure_skin_distance(chroma, [FACE, FACE]) == real
    assert measure_skin_distance(chroma, []) is None


@given(st.floats(0.01, 4.0), st.integers(0, 2**32 - 1))
def test_shares_are_shares_and_do_not_depend_on_strength(factor, seed):
    chroma = np.random.default_rng(seed).uniform(-0.1, 0.1, (32, 48, 2)).astype(np.float32)
    share = _one_color(chroma)
    assert 0 <= share <= 1 + 1e-6
    assert _one_color(chroma * np.float32(factor)) == pytest.approx(share, abs=1e-4)
    luma = np.full((32, 48), 0.5, dtype=np.float32)
    assert 0 <= measure_clipping(chroma * np.float32(factor), luma) <= 1


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_black_and_white_pictures_have_figures_too(level):
    luma, chroma = np.full((32, 32), level, np.float32), np.zeros((32, 32, 2), np.float32)
    assert (measure_strength(chroma), _one_color(chroma)) == (0.0, 0.0)
    assert (measure_blotches(chroma, luma), measure_clipping(chroma, luma)) == (0.0, 0.0)
