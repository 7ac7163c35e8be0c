import numpy as np
import pytest

from archive_colorizer.color.sizes import enlarge, fit_within, shrink
from archive_colorizer.color.space import luma_of
from tests.photographs import photograph


@pytest.mark.parametrize("factor", [1, 257], ids=["8 bits", "16 bits"])
def test_shrinking_keeps_the_mean(factor):
    dtype = np.uint8 if factor == 1 else np.uint16
    luma = luma_of(photograph("rocket")).astype(dtype) * dtype(factor)
    small = shrink(luma, 64, 64)
    assert small.dtype == np.float32
    assert abs(small.mean() - luma.mean() / np.iinfo(dtype).max) < 2e-3


def test_the_longest_side_is_bounded_and_nothing_grows():
    assert fit_within(3000, 4000, 1000) == (750, 1000)
    assert fit_within(30, 40, 1000) == (30, 40)
    assert fit_within(1, 100_000, 1000) == (1, 1000)


def test_a_flat_plane_stays_flat_when_enlarged():
    assert np.allclose(enlarge(np.full((3, 4, 2), 0.25, np.float32), 50, 60), 0.25)
