"""Real photographs for tests: those that travel inside scikit-image, so no network is needed."""

from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

NAMES = ("astronaut", "chelsea", "coffee", "rocket")


@cache
def photograph(name: str) -> npt.NDArray[np.uint8]:
    """A photograph in color, H x W x 3 uint8 sRGB; read-only, since tests share it."""
    data = pytest.importorskip("skimage.data", reason="photographs come with scikit-image")
    picture: npt.NDArray[np.uint8] = np.ascontiguousarray(getattr(data, name)())
    picture.setflags(write=False)
    return picture


def at_16_bits(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint16]:
    """The photograph with 16 bits that are really used: a slope of a few codes is added."""
    slope = np.linspace(0, 200, rgb.shape[1], dtype=np.uint16)[None, :, None]
    return np.minimum(rgb.astype(np.uint32) * 257 + slope, 65535).astype(np.uint16)
