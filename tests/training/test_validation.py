import cv2
import numpy as np
import pytest

from archive_colorizer.training.validation import ValidationSet, choose_validation_photos
from tests.photographs import photograph
from tests.training.conftest import jpeg_of

color = pytest.importorskip("skimage.color")


@pytest.fixture(scope="module")
def validation(photos):
    return ValidationSet(photos[:4], 64)


def test_the_truth_measured_against_itself_is_perfect(validation):
    found = validation.measure(lambda luma: validation.chroma[: len(luma)])
    assert found.ciede2000 < 0.01
    assert found.psnr > 90
    assert found.colorfulness == pytest.approx(1.0, abs=1e-4)
    assert found.b == pytest.approx(validation.truth.b, abs=1e-3)


def test_grey_has_no_color_and_its_known_distance(validation):
    grey = validation.grey
    assert grey.colorfulness < 1e-3
    assert grey.chroma < 0.1
    # Against the book: CIEDE2000 of the grey pictures, by scikit-image alone.
    rgb = np.repeat(validation.luma[:, 0, ::2, ::2, None], 3, axis=3)
    truth = validation._truth[:, ::2, ::2]
    expected = color.deltaE_ciede2000(color.rgb2lab(truth), color.rgb2lab(rgb)).mean()
    assert grey.ciede2000 == pytest.approx(expected, abs=0.05)


def test_half_the_color_lies_between_grey_and_truth(validation):
    half = validation.measure(lambda luma: validation.chroma[: len(luma)] / 2)
    assert 0.3 < half.colorfulness < 0.7
    assert 0 < half.ciede2000 < validation.grey.ciede2000
    assert validation.grey.psnr < half.psnr


def test_a_sheet_is_a_picture_of_three_columns_a_photo(validation, tmp_path):
    validation.write_sheet(
        lambda luma: np.zeros_like(validation.chroma[: len(luma)]), tmp_path / "s.png"
    )
    sheet = cv2.imread(str(tmp_path / "s.png"))
    assert sheet.shape == (2 * 64, 2 * 3 * 64, 3)
    grey, made, truth = sheet[:64, :64], sheet[:64, 64:128], sheet[:64, 128:192]
    np.testing.assert_array_equal(grey, made)
    assert np.ptp(truth.astype(int), axis=2).mean() > np.ptp(grey.astype(int), axis=2).mean() + 5


def test_no_source_drowns_the_others(photos):
    from archive_colorizer.training.data.crops import TrainingPhoto

    content = jpeg_of(photograph("coffee")[:64, :64])
    large = [TrainingPhoto("large", f"large/{n}", content) for n in range(100)]
    small = [TrainingPhoto("small", f"small/{n}", content) for n in range(5)]
    chosen = choose_validation_photos(large + small, 20, seed=1)
    assert sorted(p.source for p in chosen).count("small") == 5
    assert len(chosen) == len({p.name for p in chosen}) == 20
    assert choose_validation_photos(large + small, 20, seed=1) == chosen
