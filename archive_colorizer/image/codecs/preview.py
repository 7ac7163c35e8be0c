"""Make the small RGB preview of a color source, from the whole picture or from strips."""

from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from archive_colorizer.color.resample import fit_within
from archive_colorizer.color.space import Plane

PREVIEW_SIDE: Final = 512

_AT_A_TIME: Final = 1 << 17
"""Pixels whose float copy fits in the cache."""

_NUDGE: Final = 1 - 1e-12
"""Keeps OpenCV from summing whole blocks first, which rounds differently; weights stay the same."""


def make_preview(rgb: Plane) -> npt.NDArray[np.uint8]:
    """Return H x W x 3 uint8 with a long side of at most 512 pixels, from 8 or 16 bit."""
    height, width = fit_within(rgb.shape[0], rgb.shape[1], PREVIEW_SIDE)
    if (height, width) == rgb.shape[:2]:
        return _convert_to_8_bit(rgb)
    # Averaging over areas reveals a tint that grain hides.
    return _convert_to_8_bit(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA))


class PreviewBuilder:
    """Makes exactly the preview of `make_preview` from strips.

    Holds a float32 picture of the preview's width and the full height.
    """

    def __init__(self, height: int, width: int, depth: np.dtype[Any]) -> None:
        self._depth = depth
        self._height, across = fit_within(height, width, PREVIEW_SIDE)
        self._is_even = not (width % across or height % self._height)
        self._block = height // self._height
        shape = (self._height if self._is_even else height, across, 3)
        self._rows: Any = np.empty(shape, depth if self._is_even else np.float32)
        self._filled = 0
        self._left: Any = np.empty((0, width, 3), depth)

    def add(self, strip: Plane) -> None:
        """Add the next rows: n x W x 3."""
        if self._is_even:
            self._add_blocks(strip)
            return
        rows = max(1, _AT_A_TIME // strip.shape[1])
        for top in range(0, len(strip), rows):
            part = strip[top : top + rows].astype(np.float32)
            self._append_rows(_average(part, self._rows.shape[1], len(part)))

    def finish(self) -> npt.NDArray[np.uint8]:
        """Return the preview after all rows were added."""
        rows = self._rows
        if not self._is_even:
            rows = np.rint(_average(rows, rows.shape[1], self._height))
        return _convert_to_8_bit(rows.astype(self._depth, copy=False))

    def _add_blocks(self, strip: Plane) -> None:
        """Average whole blocks of pixels, as OpenCV does when the sides divide evenly."""
        rows = np.concatenate([self._left, strip]) if len(self._left) else strip
        count = len(rows) // self._block
        if count:
            size = self._rows.shape[1], count
            block = rows[: count * self._block]
            self._append_rows(cv2.resize(block, size, interpolation=cv2.INTER_AREA))
        self._left = rows[count * self._block :].copy()

    def _append_rows(self, rows: Any) -> None:
        self._rows[self._filled : self._filled + len(rows)] = rows
        self._filled += len(rows)


def _average(rows: Any, width: int, height: int) -> Any:
    """Average float32 rows along one side, as OpenCV does along both."""
    size = rows.shape[1], rows.shape[0]
    if size == (width, height):
        return rows
    across, down = width / size[0], height / size[1]
    if not (size[0] % width or size[1] % height):
        across, down = (across * _NUDGE, down) if down == 1 else (across, down * _NUDGE)
    return cv2.resize(rows, None, fx=across, fy=down, interpolation=cv2.INTER_AREA)


def _convert_to_8_bit(rgb: Any) -> npt.NDArray[np.uint8]:
    return np.asarray(rgb // 257 if rgb.dtype == np.uint16 else rgb, dtype=np.uint8)
