"""The blend: a small color mask spread over the sharp original, whose luma is attached last.

The mask is enlarged linearly, and to it is added what the small picture could not hold: the
detail of luma that shrinking lost, times the slope of chroma over luma in that neighborhood.
The slope is that of the guided filter (He, Sun, Tang: Guided Image Filtering, PAMI 2013;
fitted at the small size as in arXiv:1505.00996), but the mask itself is kept instead of being
replaced by its fit.  So color stops where the picture has an edge, and flat areas keep the
network's color exactly.  Everything at full size happens in strips, in the picture's own
depth.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from archive_colorizer.color.gamut import Scale, Tint
from archive_colorizer.color.space import (
    CHROMA_TO_RGB,
    KB,
    KR,
    FloatArray,
    Plane,
    chroma_matrix,
    planes_of,
)
from archive_colorizer.color.spatial_mask import share_rows
from archive_colorizer.color.strip_image import Picture

_SMOOTHNESS = 1e-3
"""Variance of luma (its square root: 8 of 255) below which an edge is taken for grain."""


class Coding(Protocol):
    """What code values mean."""

    @property
    def depth(self) -> int:
        """Bits of a sample."""
        ...

    @property
    def black(self) -> int: ...

    @property
    def white(self) -> int: ...

    @property
    def neutral(self) -> int:
        """Of chroma."""
        ...

    @property
    def chroma_span(self) -> int:
        """Codes from the chroma -0.5 to 0.5."""
        ...

    @property
    def weights(self) -> tuple[float, float]:
        """KR and KB of the luma."""
        ...


@dataclass(frozen=True, slots=True)
class _FullRange:
    """Black 0 and white the greatest code: JPEG, and every still picture."""

    depth: int = 8
    weights: tuple[float, float] = (KR, KB)

    black = 0

    @property
    def white(self) -> int:
        return (1 << self.depth) - 1

    @property
    def neutral(self) -> int:
        return 1 << (self.depth - 1)

    @property
    def chroma_span(self) -> int:
        return self.white


@dataclass(frozen=True, slots=True, eq=False)
class ChromaField:
    """Chroma as lines over luma: h x w x 4 float32 (slopes of Cb, Cr, then offsets).

    Chroma at a pixel of any size of the picture is slope * luma + offset, luma in 0..1; of it
    every one of `shares` (see color/share.py) takes its share.
    """

    lines: FloatArray
    shares: tuple[Plane, ...] = ()

    def kept(self, top: int, count: int, height: int, width: int) -> FloatArray | None:
        """How much of the chroma stays, 0..1, in those rows of a picture; None for all of it."""
        known = [share_rows(share, top, count, height, width) for share in self.shares]
        return reduce(np.multiply, known) if known else None


def fit_chroma(mask: FloatArray, luma: FloatArray) -> ChromaField:
    """Fit a mask (h x w x 2 chroma) to the small luma (h x w, 0..1) that it was made for."""
    mean = _mean(luma)
    variance = np.maximum(_mean(luma * luma) - mean * mean, 0) + np.float32(_SMOOTHNESS)
    slopes, offsets = [], []
    for chroma in planes_of(mask):
        covariance = _mean(luma * chroma) - mean * _mean(chroma)
        slopes.append(_mean(np.asarray(covariance / variance, dtype=np.float32)))
        offsets.append(chroma - slopes[-1] * luma)
    return ChromaField(np.asarray(cv2.merge([*slopes, *offsets]), dtype=np.float32))


def blend_rgb(luma: Plane, field: ChromaField) -> Plane:
    """R'G'B' (H x W x 3, the depth of luma) whose luma is that of `luma` within 1 code value."""
    return blended(luma, field).whole()


def blended(luma: Plane, field: ChromaField) -> Picture:
    """As `blend_rgb`, but made strip by strip while it is read."""
    return Picture((*luma.shape, 3), luma.dtype, partial(_painted, luma, field))


def _painted(luma: Plane, field: ChromaField) -> Iterator[Plane]:
    tint = _tint(field, _FullRange(8 * luma.itemsize), *luma.shape)
    paint: npt.NDArray[Any] = np.empty((tint.rows, luma.shape[1], 3), dtype=luma.dtype)
    for top in range(0, luma.shape[0], tint.rows):
        seen = luma[top : top + tint.rows]
        kept = field.kept(top, len(seen), *luma.shape)
        tint.paint(top, _like(luma, seen), paint[: len(seen)], kept)
        yield _like(luma, paint[: len(seen)])


def blend_planes(
    luma: npt.NDArray[np.uint8], field: ChromaField
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Cb and Cr planes for JPEG 4:2:0: uint8, 128 neutral, ceil(H/2) x ceil(W/2).

    Chroma is kept inside the gamut of the darkest and lightest luma among the 16 pixels
    that a decoder's smooth upsampling spreads it over.
    """
    cb, cr = blend_coded(luma, field, _FullRange(), (2, 2))
    return np.asarray(cb, dtype=np.uint8), np.asarray(cr, dtype=np.uint8)


def blend_coded(
    luma: Plane, field: ChromaField, coding: Coding, steps: tuple[int, int]
) -> tuple[Plane, Plane]:
    """Cb and Cr planes in the codes of `coding`, of ceil(H/rows) x ceil(W/columns) samples.

    steps: rows and columns of luma to one chroma sample, (2, 2) for 4:2:0.  Chroma is kept
    inside the gamut of the luma that a decoder's smooth upsampling spreads it over.
    """
    rows, columns = steps
    height, width = -(-luma.shape[0] // rows), -(-luma.shape[1] // columns)
    tint, scale = _tint(field, coding, height, width), _scale(coding)
    planes = np.empty((2, height, width), dtype=luma.dtype)
    kernel = np.ones((3 if rows > 1 else 1, 3 if columns > 1 else 1), dtype=np.uint8)
    for top in range(0, height, tint.rows):
        bottom = min(top + tint.rows, height)
        # One row of blocks more on each side: the neighbors that upsampling mixes in.
        first, last = max(top - 1, 0), min(bottom + 1, height)
        whole = _whole(luma[rows * first : rows * last], steps)
        dark, light = _extremes(whole, steps)
        small = cv2.resize(whole, (width, last - first), interpolation=cv2.INTER_AREA)
        lowest, highest, seen = (
            _like(luma, plane[top - first : bottom - first])
            for plane in (cv2.erode(dark, kernel), cv2.dilate(light, kernel), small)
        )
        kept = field.kept(rows * first, len(luma[rows * first : rows * last]), *luma.shape)
        if kept is not None:
            kept = _least(kept, steps, kernel)[top - first : bottom - first]
        red, blue = tint.add(top, seen, lowest, highest, kept)
        planes[0, top:bottom] = _coded(blue, 1 / scale.blue_of_cb, coding)
        planes[1, top:bottom] = _coded(red, 1 / scale.red_of_cr, coding)
    return planes[0], planes[1]


def _least(kept: FloatArray, steps: tuple[int, int], kernel: Plane) -> FloatArray:
    """The least of all pixels that a chroma sample is spread over, so that grey stays grey."""
    codes = np.rint(kept * 255).astype(np.uint8)
    least = cv2.erode(_extremes(_whole(codes, steps), steps)[0], kernel)
    return np.asarray(least, dtype=np.float32) / np.float32(255)


def _tint(field: ChromaField, coding: Coding, height: int, width: int) -> Tint:
    return Tint(_turned(field, coding.weights).lines, _scale(coding), height, width)


def _scale(coding: Coding) -> Scale:
    return Scale(coding.black, coding.white, coding.weights)


def _coded(color: FloatArray, chroma: float, coding: Coding) -> Plane:
    """What was added to red or blue as codes of Cr or Cb, `chroma` for each code added."""
    codes = chroma * coding.chroma_span
    if coding.depth == 8:
        # No code is below 0, since the color is in gamut; so nothing is turned by "Abs".
        return np.asarray(cv2.convertScaleAbs(color, alpha=codes, beta=coding.neutral), np.uint8)
    deep = cv2.addWeighted(color, codes, color, 0.0, coding.neutral, dtype=cv2.CV_16U)
    return np.asarray(np.minimum(deep, (1 << coding.depth) - 1), dtype=np.uint16)


def _turned(field: ChromaField, weights: tuple[float, float]) -> ChromaField:
    """The field for the matrix with these weights; differences of R', G' and B' stay."""
    if weights == (KR, KB):
        return field
    to_other = chroma_matrix(*weights) @ CHROMA_TO_RGB
    pairs = field.lines.reshape(len(field.lines), -1, 2)
    lines = cv2.transform(pairs, to_other).reshape(field.lines.shape)
    return ChromaField(np.asarray(lines, dtype=np.float32), field.shares)


def _mean(plane: FloatArray) -> FloatArray:
    """Mean over 3 x 3 pixels."""
    return np.asarray(cv2.blur(plane, (3, 3), borderType=cv2.BORDER_REPLICATE), dtype=np.float32)


def _extremes(whole: Plane, steps: tuple[int, int]) -> tuple[Plane, Plane]:
    """The least and the greatest of each block of `steps` rows and columns."""
    rows, columns = steps
    blocks: Any = np.ascontiguousarray(whole).reshape(len(whole), -1, columns)
    # Taking columns apart by their place in a block is vectorized; slicing them is not.
    apart = planes_of(blocks)
    found = []
    extremes: tuple[Any, ...] = (cv2.min, cv2.max)
    for extreme in extremes:
        narrow = reduce(extreme, apart)
        found.append(_like(whole, reduce(extreme, [narrow[at::rows] for at in range(rows)])))
    return found[0], found[1]


def _whole(luma: Plane, steps: tuple[int, int]) -> Plane:
    """The strip with its last row and column repeated until the blocks are whole."""
    rows, columns = -luma.shape[0] % steps[0], -luma.shape[1] % steps[1]
    if not rows and not columns:
        return luma
    return _like(luma, np.pad(luma, ((0, rows), (0, columns)), mode="edge"))


def _like(luma: Plane, plane: npt.ArrayLike) -> Plane:
    """The plane, which is of luma's depth, told to the type checker."""
    is_deep = luma.dtype == np.uint16
    return np.asarray(plane, dtype=np.uint16) if is_deep else np.asarray(plane, dtype=np.uint8)
