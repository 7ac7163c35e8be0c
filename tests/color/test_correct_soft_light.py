import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from archive_colorizer.color.blend import ChromaField, blend_rgb
from archive_colorizer.color.correct import Correction, apply_soft_light, blend_soft_light, correct
from archive_colorizer.color.space import compute_luma
from tests.color.test_correct import mask_of
from tests.photographs import photograph

unit = st.floats(0, 1, width=32)


def by_the_standard(backdrop, source):
    """The text of W3C's Compositing and Blending Level 1, word for word."""
    if source <= 0.5:
        return backdrop - (1 - 2 * source) * backdrop * (1 - backdrop)
    dark = ((16 * backdrop - 12) * backdrop + 4) * backdrop
    d = dark if backdrop <= 0.25 else backdrop**0.5
    return backdrop + (2 * source - 1) * (d - backdrop)


@given(unit, unit)
def test_it_is_the_formula_of_the_standard(backdrop, source):
    made = blend_soft_light(np.float32([backdrop]), np.float32([source]))[0]
    assert abs(made - by_the_standard(backdrop, source)) < 1e-5
    assert -1e-6 <= made <= 1 + 1e-6


def test_grey_stays_grey_and_black_and_white_take_no_color():
    luma = np.linspace(0, 1, 64, dtype=np.float32)[None]
    assert np.abs(apply_soft_light(np.zeros((1, 64, 2), np.float32), luma)).max() < 1e-6
    made = apply_soft_light(np.full((1, 64, 2), 0.05, np.float32), luma)
    strength = np.hypot(made[0, :, 0], made[0, :, 1])
    assert strength[[0, -1]].max() < 1e-3
    assert strength[24:40].min() > 4 * strength[[2, -3]].max()


def test_hues_stay_where_they_are_about():
    chroma, luma = mask_of("coffee")
    made = correct(chroma, luma, Correction(blend="soft-light"))
    strong = np.hypot(chroma[..., 0], chroma[..., 1]) > 0.1
    strong &= np.hypot(made[..., 0], made[..., 1]) > 0.02
    before = np.degrees(np.arctan2(chroma[..., 1], chroma[..., 0]))
    after = np.degrees(np.arctan2(made[..., 1], made[..., 0]))
    turn = np.abs((after - before + 180) % 360 - 180)[strong]
    assert np.percentile(turn, 95) < 25


def test_luma_is_kept_all_the_same():
    original = compute_luma(photograph("astronaut"))
    chroma, luma = mask_of("astronaut")
    wanted = Correction(blend="soft-light", saturation=2.0, shadows=0.5, highlights=0.2)
    blended = blend_rgb(original, ChromaField.fit(correct(chroma, luma, wanted), luma))
    assert np.abs(compute_luma(blended).astype(int) - original).max() <= 1


def test_strength_by_luma_leaves_the_middle_alone():
    chroma, luma = mask_of("astronaut")
    before = correct(chroma, luma, Correction(strength=0.8))
    after = correct(chroma, luma, Correction(strength=0.8, shadows=0.0, highlights=0.5))
    middle = (luma >= 0.35) & (luma <= 0.65)
    assert np.array_equal(after[middle], before[middle])
    assert np.abs(after[luma <= 0.1]).max() == 0
    light = luma >= 0.9
    assert np.allclose(after[light], before[light] / 2, atol=1e-6)
