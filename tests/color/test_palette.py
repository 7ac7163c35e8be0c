"""The palette of one photograph given to another, by a bounded amount."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive_colorizer.color.correct import compute_gamut_share
from archive_colorizer.color.palette import Palette, measure_tones
from archive_colorizer.color.resample import shrink
from archive_colorizer.color.space import compute_chroma, compute_rgb, convert_rgb_to_lab
from tests.photographs import NAMES, photograph

SIZE = (96, 128)


def small(name):
    """A photograph as luma and mask, and as the picture that they make."""
    rgb = np.stack(
        [shrink(np.ascontiguousarray(photograph(name)[..., c]), *SIZE) for c in range(3)], 2
    )
    luma = np.asarray(rgb @ np.float32([0.299, 0.587, 0.114]), np.float32)
    return luma, compute_chroma(rgb), rgb


def eight_bit(rgb):
    return np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)


def seen(luma, mask):
    inside = mask * compute_gamut_share(luma, mask)[..., None]
    return convert_rgb_to_lab(np.clip(compute_rgb(luma, inside), 0, 1))


@pytest.mark.parametrize("name", NAMES)
def test_a_photograph_that_is_its_own_reference_stays_nearly_as_it_is(name):
    luma, mask, rgb = small(name)
    found = Palette.measure(eight_bit(rgb), name, "").apply(mask, luma, 1.0)
    away = np.linalg.norm(seen(luma, found) - seen(luma, mask), axis=2)
    assert away.mean() < 1.0
    assert np.percentile(away, 99) < 4.0


@pytest.mark.parametrize(("name", "reference"), [("coffee", "rocket"), ("rocket", "coffee")])
def test_the_palette_comes_nearer_to_that_of_the_reference(name, reference):
    luma, mask, _ = small(name)
    _, _, wanted = small(reference)
    goal = convert_rgb_to_lab(wanted)[..., 1:].reshape(-1, 2).mean(axis=0)
    palette = Palette.measure(eight_bit(wanted), reference, "")
    far = [
        np.linalg.norm(seen(luma, palette.apply(mask, luma, amount))[..., 1:].mean((0, 1)) - goal)
        for amount in (0.0, 0.5, 1.0)
    ]
    assert far[2] < far[1] < far[0]


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(st.floats(-80, 80), st.floats(-80, 80)),
    st.floats(0, 2000),
    st.floats(-900, 900),
    st.floats(0, 2000),
)
def test_however_odd_the_reference_the_change_is_bounded(mean, one, both, other):
    luma, mask, rgb = small("chelsea")
    palette = Palette.measure(eight_bit(rgb), "odd", "")
    tone = (0.33, *mean, one, both, other)
    odd = type(palette)("odd", "", (tone, tone, tone, tone))
    found = odd.apply(mask, luma, 1.0)
    assert np.isfinite(found).all()
    before, after = (seen(luma, one)[..., 1:].reshape(-1, 2) for one in (mask, found))
    assert np.linalg.norm(after.mean(axis=0) - before.mean(axis=0)) < 18
    assert after.std(axis=0).max() < 2.2 * before.std(axis=0).max() + 2


def test_amount_0_is_the_same_mask():
    luma, mask, rgb = small("chelsea")
    assert Palette.measure(eight_bit(rgb), "", "").apply(mask, luma, 0.0) is mask


def test_a_mask_without_color_and_a_black_picture_do_no_harm():
    _, _, rgb = small("coffee")
    palette = Palette.measure(eight_bit(rgb), "", "")
    none = np.zeros((*SIZE, 2), np.float32)
    for luma in (np.zeros(SIZE, np.float32), np.full(SIZE, 0.5, np.float32)):
        assert np.isfinite(palette.apply(none, luma, 1.0)).all()


def test_tones_part_shadows_from_lights():
    lab = np.zeros((2, 10, 3), np.float32)
    lab[0] = (10, 20, 0)
    lab[1] = (90, -20, 5)
    shadows, middle, lights, whole = measure_tones(lab)
    assert shadows[:3] == (0.5, 20, 0)
    assert lights[:3] == (0.5, -20, 5)
    assert middle[0] == 0
    assert whole[:2] == (1, 0)
