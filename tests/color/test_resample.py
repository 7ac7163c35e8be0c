import cv2
import numpy as np
import pytest

from archive_colorizer.color.resample import enlarge, fit_within, shrink
from archive_colorizer.color.space import compute_luma
from tests.photographs import photograph


@pytest.mark.parametrize("factor", [1, 257], ids=["8 bits", "16 bits"])
def test_shrinking_keeps_the_mean(factor):
    dtype = np.uint8 if factor == 1 else np.uint16
    luma = compute_luma(photograph("rocket")).astype(dtype) * dtype(factor)
    small = shrink(luma, 64, 64)
    assert small.dtype == np.float32
    assert abs(small.mean() - luma.mean() / np.iinfo(dtype).max) < 2e-3


def test_the_longest_side_is_bounded_and_nothing_grows():
    assert fit_within(3000, 4000, 1000) == (750, 1000)
    assert fit_within(30, 40, 1000) == (30, 40)
    assert fit_within(1, 100_000, 1000) == (1, 1000)


def test_a_flat_plane_stays_flat_when_enlarged():
    assert np.allclose(enlarge(np.full((3, 4, 2), 0.25, np.float32), 50, 60), 0.25)


@pytest.mark.parametrize("shape", [(2048, 3072), (2047, 3071), (2049, 1027), (1031, 4099)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_large_planes_are_shrunk_as_if_at_once(shape, dtype):
    """Halving first changes little."""
    white = np.iinfo(dtype).max
    luma = compute_luma(photograph("coffee"))
    large = cv2.resize(luma, shape[::-1], interpolation=cv2.INTER_CUBIC).astype(dtype)
    large *= dtype(white // 255)
    at_once = cv2.resize(large.astype(np.float32) / white, (96, 64), interpolation=cv2.INTER_AREA)
    small = shrink(large, 64, 96)
    assert np.abs(small - at_once).mean() < 0.01


@pytest.mark.parametrize("sides", [3072, 3071, 1027, 4099])
def test_what_is_left_out_for_speed_moves_nothing_by_more_than_a_quarter_of_a_pixel(sides):
    ramp = np.linspace(0, 65535, 2 * sides + 1)[1::2].astype(np.uint16)
    places = shrink(np.ascontiguousarray(np.broadcast_to(ramp, (sides, sides))), 96, 96) * 96
    assert np.abs(places - (np.arange(96) + 0.5)).max() < 0.25
