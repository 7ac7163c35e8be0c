import numpy as np
import pytest

from archive_colorizer.color.space import compute_luma
from archive_colorizer.evaluation.metrics import PhotoFigures
from tests.photographs import photograph

color = pytest.importorskip("skimage.color")


def test_the_truth_is_perfect_and_grey_is_not():
    truth = photograph("coffee")
    perfect = PhotoFigures.compare(truth, truth)
    assert perfect.ciede2000 == perfect.gap == 0
    assert perfect.ssim == pytest.approx(1)
    # Not infinite: a mean with this picture must stay a number.
    assert perfect.psnr == perfect.ab_psnr == 100
    assert perfect.colorfulness == perfect.truth
    grey = PhotoFigures.compare(np.repeat(compute_luma(truth)[..., None], 3, axis=2), truth)
    assert grey.ciede2000 > 5
    assert grey.colorfulness == pytest.approx(0, abs=1e-6)
    assert grey.gap == pytest.approx(grey.truth)
    assert grey.luma_error <= 0.5


def test_ab_psnr_knows_nothing_of_lightness():
    truth = photograph("chelsea")[:64, :64]
    lab = color.rgb2lab(truth)
    of_grey = PhotoFigures.compare(np.repeat(compute_luma(truth)[..., None], 3, axis=2), truth)
    by_hand = 10 * np.log10(255**2 / np.mean(lab[..., 1:] ** 2))
    assert of_grey.ab_psnr == pytest.approx(by_hand, abs=0.01)
    grey = np.full((16, 16, 3), 90, np.uint8)
    assert PhotoFigures.compare(grey + 40, grey).ab_psnr > 60
    assert PhotoFigures.compare(grey + 40, grey).psnr < 20


def test_colorfulness_is_that_of_the_paper():
    """rg = (255, -255), yb = (127.5, 127.5): spread hypot(255, 0), centre hypot(0, 127.5)."""
    red_green = np.tile(np.array([[[255, 0, 0], [0, 255, 0]]], dtype=np.uint8), (8, 4, 1))
    assert PhotoFigures.compare(red_green, red_green).truth == pytest.approx(255 + 0.3 * 127.5)
