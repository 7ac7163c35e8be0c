import numpy as np
import pytest
from PIL import Image

from archive_colorizer.evaluation.sheet import write_sheet


@pytest.mark.parametrize(("count", "n"), [(1, 1), (60, 1), (61, 2), (120, 2), (300, 5)])
def test_photographs_are_every_nth_and_never_more_than_fit(tmp_path, count, n):
    shade = np.zeros((4, 4, 3), np.uint8)
    assert write_sheet(tmp_path / "s.png", {"grey": [shade] * count}) == n
    assert len(range(0, count, n)) <= 60


def test_a_sheet_has_a_labelled_column_each_and_keeps_proportions(tmp_path):
    shades = [np.full((40, 80, 3), (10 * n, 0, 0), np.uint8) for n in range(7)]
    columns = {"grey": shades, "truth": [255 - one for one in shades]}
    assert write_sheet(tmp_path / "s.png", columns, max_photos=4) == 2
    sheet = np.asarray(Image.open(tmp_path / "s.png"))
    seen = {tuple(color) for color in sheet.reshape(-1, 3).tolist()}
    # Every second: 0, 2, 4, 6; none of those between.
    assert {(20, 0, 0), (40, 0, 0), (60, 0, 0), (215, 255, 255)} <= seen
    assert not {(10, 0, 0), (30, 0, 0), (50, 0, 0)} & seen
    rows, columns_of = np.where((sheet == (40, 0, 0)).all(axis=2))
    assert np.ptp(columns_of) + 1 == 2 * (np.ptp(rows) + 1)
