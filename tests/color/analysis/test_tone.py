import numpy as np
import pytest

from archive_colorizer.color.analysis.tone import Tone
from archive_colorizer.color.space import compute_luma
from tests.photographs import NAMES, photograph

SEPIA = np.array([1.0, 0.86, 0.66])
CYANOTYPE = np.array([0.45, 0.72, 1.0])


def toned(name, ink):
    luma = compute_luma(photograph(name)).astype(np.float64)[..., None] / 255
    # Paper keeps a little of the tone in its lights, as a real print does.
    rgb = luma * ink * (1 - luma) + luma * (0.7 + 0.3 * ink) * luma
    return np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)


@pytest.mark.parametrize("name", NAMES)
def test_a_photograph_in_color_is_seen(name):
    assert Tone.detect(photograph(name)) is Tone.COLORED


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ink", [SEPIA, CYANOTYPE], ids=["sepia", "cyanotype"])
def test_a_toned_print_is_no_color_photograph(name, ink):
    assert Tone.detect(toned(name, ink)) is Tone.TONED


@pytest.mark.parametrize("name", NAMES)
def test_grey_with_scanner_noise_is_neutral(name):
    noise = np.random.default_rng(1).normal(0, 3, (*photograph(name).shape[:2], 3))
    grey = compute_luma(photograph(name))[..., None] + noise
    assert Tone.detect(np.clip(grey, 0, 255).astype(np.uint8)) is Tone.NEUTRAL


def test_one_small_colored_thing_makes_a_color_photograph():
    grey = np.repeat(compute_luma(photograph("astronaut"))[..., None], 3, axis=2).copy()
    grey[200:270, 200:270] = (190, 30, 40)
    assert Tone.detect(grey) is Tone.COLORED


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 9, 3)])
def test_the_smallest_previews_have_a_tone(shape):
    assert Tone.detect(np.zeros(shape, dtype=np.uint8)) is Tone.NEUTRAL
