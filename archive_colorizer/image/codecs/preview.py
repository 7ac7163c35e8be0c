"""The small RGB picture of a source in color: of a whole one, or of strips as they come."""

from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import Plane

PREVIEW_SIDE: Final = 512

_AT_A_TIME: Final = 1 << 17
"""Pixels whose float copy stays in the cache."""

_NUDGE: Final = 1 - 1e-12
"""Keeps OpenCV from adding up whole blocks first, which rounds otherwise; weights stay the same."""


def preview_of(rgb: Plane) -> npt.NDArray[np.uint8]:
    """H x W x 3 uint8 with a long side of at most 512 pixels, from 8 or 16 bit."""
    size = _size_of(*rgb.shape[:2])
    if size is None:
        return _bytes_of(rgb)
    # Area averaging brings out a tint that grain hides.
    return _bytes_of(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))


class Preview:
    """`preview_of` a picture that is given in strips, to the very code.

    Holds a float32 picture of its width and the whole's height.
    """

    def __init__(self, height: int, width: int, depth: np.dtype[Any]) -> None:
        self._depth = depth
        self._size = _size_of(height, width)
        across, down = self._size or (width, height)
        self._is_even = not (width % across or height % down)
        self._block = height // down
        shape = (down, across, 3) if self._is_even else (height, across, 3)
        self._rows: Any = np.empty(shape, depth if self._is_even else np.float32)
        self._filled = 0
        self._left: Any = np.empty((0, width, 3), depth)

    def add(self, strip: Plane) -> None:
        """The next rows: n x W x 3."""
        if self._is_even:
            self._add_blocks(strip)
            return
        rows = max(1, _AT_A_TIME // strip.shape[1])
        for top in range(0, len(strip), rows):
            part = strip[top : top + rows].astype(np.float32)
            self._put(_averaged(part, self._rows.shape[1], len(part)))

    def made(self) -> npt.NDArray[np.uint8]:
        """The preview, when all rows are there."""
        rows = self._rows
        if self._size is not None and not self._is_even:
            rows = np.rint(_averaged(rows, *self._size))
        return _bytes_of(rows.astype(self._depth, copy=False))

    def _add_blocks(self, strip: Plane) -> None:
        """Whole numbers of pixels become one: OpenCV adds them up block by block."""
        rows = np.concatenate([self._left, strip]) if len(self._left) else strip
        count = len(rows) // self._block
        if count:
            size = self._rows.shape[1], count
            block = rows[: count * self._block]
            self._put(cv2.resize(block, size, interpolation=cv2.INTER_AREA))
        self._left = rows[count * self._block :].copy()

    def _put(self, rows: Any) -> None:
        self._rows[self._filled : self._filled + len(rows)] = rows
        self._filled += len(rows)


def _size_of(height: int, width: int) -> tuple[int, int] | None:
    """Width and height of a preview, None where the picture is small enough."""
    scale = PREVIEW_SIDE / max(height, width)
    if scale >= 1:
        return None
    return max(1, round(width * scale)), max(1, round(height * scale))


def _averaged(rows: Any, width: int, height: int) -> Any:
    """float32 rows averaged along one side, as OpenCV does it along both."""
    was = rows.shape[1], rows.shape[0]
    if was == (width, height):
        return rows
    across, down = width / was[0], height / was[1]
    if not (was[0] % width or was[1] % height):
        across, down = (across * _NUDGE, down) if down == 1 else (across, down * _NUDGE)
    return cv2.resize(rows, None, fx=across, fy=down, interpolation=cv2.INTER_AREA)


def _bytes_of(rgb: Any) -> npt.NDArray[np.uint8]:
    return np.asarray(rgb // 257 if rgb.dtype == np.uint16 else rgb, dtype=np.uint8)
