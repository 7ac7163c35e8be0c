"""Blend a small color mask with the sharp original, whose luma is attached last.

The mask is enlarged linearly; added to it is the detail of luma that shrinking lost, times the
local slope of chroma over luma.  The slope is that of the guided filter (He, Sun, Tang: Guided
Image Filtering, PAMI 2013; fitted at the small size as in arXiv:1505.00996), but the mask itself
is kept instead of its fit.  So color stops at edges of the picture, and flat areas keep the
network's color exactly.  All work at full size happens in strips, at the picture's own depth.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from archive_colorizer.color.gamut import ChromaUpsampler, Coding, FullRange
from archive_colorizer.color.resample import average, enlarge, locate_rows
from archive_colorizer.color.space import (
    CHROMA_TO_RGB,
    KB,
    KR,
    ByteArray,
    FloatArray,
    Plane,
    build_chroma_matrix,
    split_planes,
)
from archive_colorizer.color.strip_image import StripImage

_SMOOTHNESS = 1e-3
"""Variance of luma (its root is 8 of 255) below which an edge counts as grain."""
_FADE = 0.0015
"""Length of the fade on the colored side of an edge, as a share of the short side."""


@dataclass(frozen=True, slots=True, eq=False)
class ChromaField:
    """Describe chroma as lines over luma: h x w x 4 float32 (slopes of Cb, Cr, then offsets).

    Chroma at a pixel of the picture, at any size, is slope * luma + offset, luma in 0..1; each
    of `spatial_masks` scales it.  A spatial mask is a uint8 plane of any size, 0 for grey and 255
    for full color; it is enlarged strip by strip, so that no full-size copy exists.
    """

    lines: FloatArray
    spatial_masks: tuple[Plane, ...] = ()

    def sample_masks(self, top: int, count: int, height: int, width: int) -> FloatArray | None:
        """Return the product of the spatial masks, 0..1, in these rows; None without masks."""
        masks = [_read_mask_rows(mask, top, count, height, width) for mask in self.spatial_masks]
        return reduce(np.multiply, masks) if masks else None

    @classmethod
    def fit(cls, mask: FloatArray, luma: FloatArray) -> "ChromaField":
        """Fit a mask (h x w x 2 chroma) to the small luma (h x w, 0..1) it was predicted from."""
        mean = average(luma, 3)
        variance = np.maximum(average(luma * luma, 3) - mean * mean, 0) + np.float32(_SMOOTHNESS)
        slopes, offsets = [], []
        for chroma in split_planes(mask):
            covariance = average(luma * chroma, 3) - mean * average(chroma, 3)
            slopes.append(average(np.asarray(covariance / variance, dtype=np.float32), 3))
            offsets.append(chroma - slopes[-1] * luma)
        return cls(np.asarray(cv2.merge([*slopes, *offsets]), dtype=np.float32))


def build_spatial_mask(plane: Plane, height: int, width: int) -> Plane:
    """Build the spatial mask of a height x width picture from a user's plane (white: full color).

    It is never larger than the picture.  At an edge the color fades on the colored side only:
    pixels that are 0 stay 0.
    """
    mask = np.asarray(plane if plane.dtype == np.uint8 else plane // 257, dtype=np.uint8)
    size = min(mask.shape[0], height), min(mask.shape[1], width)
    if size != mask.shape:
        smaller = cv2.resize(mask, size[::-1], interpolation=cv2.INTER_AREA)
        mask = np.asarray(smaller, dtype=np.uint8)
    reach = max(1, round(_FADE * min(size)))
    sides = (2 * reach + 1, 2 * reach + 1)
    softened = cv2.erode(mask, np.ones(sides, np.uint8), borderType=cv2.BORDER_REPLICATE)
    softened = cv2.blur(softened, sides, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.min(softened, mask, dst=softened), dtype=np.uint8)


def _read_mask_rows(mask: Plane, top: int, count: int, height: int, width: int) -> FloatArray:
    """Return the mask, 0..1, for `count` rows from `top` of a height x width picture."""
    mask_height = mask.shape[0]
    if mask.shape == (height, width):
        rows: FloatArray = mask[top : top + count].astype(np.float32)
    else:
        positions = locate_rows(mask_height, top, count, height)
        above = positions.astype(np.intp)
        below = np.minimum(above + 1, mask_height - 1)
        weight = (positions - above)[:, None]
        mixed = mask[above] * (1 - weight) + mask[below] * weight
        rows = enlarge(mixed.astype(np.float32), count, width)
    return rows / np.float32(255)


def blend_rgb(luma: Plane, field: ChromaField) -> Plane:
    """Return R'G'B' (H x W x 3, the depth of luma) whose luma is within 1 code of `luma`."""
    return blend_strips(luma, field).assemble()


def blend_strips(luma: Plane, field: ChromaField) -> StripImage:
    """Blend like `blend_rgb`, but strip by strip while the image is read."""
    return StripImage((*luma.shape, 3), luma.dtype, partial(_iterate_rgb_strips, luma, field))


def _iterate_rgb_strips(luma: Plane, field: ChromaField) -> Iterator[Plane]:
    upsampler = _build_upsampler(field, FullRange(8 * luma.itemsize), *luma.shape)
    rgb: npt.NDArray[Any] = np.empty((upsampler.strip_rows, luma.shape[1], 3), dtype=luma.dtype)
    for top in range(0, luma.shape[0], upsampler.strip_rows):
        strip = luma[top : top + upsampler.strip_rows]
        color_share = field.sample_masks(top, len(strip), *luma.shape)
        upsampler.write_rgb(top, _cast_plane(luma, strip), rgb[: len(strip)], color_share)
        yield _cast_plane(luma, rgb[: len(strip)])


def blend_planes(luma: ByteArray, field: ChromaField) -> tuple[ByteArray, ByteArray]:
    """Compute Cb and Cr planes for JPEG 4:2:0: uint8, 128 neutral, ceil(H/2) x ceil(W/2)."""
    cb, cr = blend_coded(luma, field, FullRange(), (2, 2))
    return np.asarray(cb, dtype=np.uint8), np.asarray(cr, dtype=np.uint8)


def blend_coded(
    luma: Plane, field: ChromaField, coding: Coding, steps: tuple[int, int]
) -> tuple[Plane, Plane]:
    """Compute Cb and Cr planes in the codes of `coding`, ceil(H/rows) x ceil(W/columns) samples.

    steps: rows and columns of luma for one chroma sample, (2, 2) for 4:2:0.  Chroma stays in
    the gamut of the luma that a decoder's smooth upsampling spreads it over.
    """
    rows, columns = steps
    height, width = -(-luma.shape[0] // rows), -(-luma.shape[1] // columns)
    upsampler = _build_upsampler(field, coding, height, width)
    planes = np.empty((2, height, width), dtype=luma.dtype)
    kernel = np.ones((3 if rows > 1 else 1, 3 if columns > 1 else 1), dtype=np.uint8)
    for top in range(0, height, upsampler.strip_rows):
        bottom = min(top + upsampler.strip_rows, height)
        # One more row of blocks on each side, whose pixels upsampling mixes in.
        first, last = max(top - 1, 0), min(bottom + 1, height)
        padded = _pad_to_blocks(luma[rows * first : rows * last], steps)
        dark, light = _compute_extremes(padded, steps)
        small = cv2.resize(padded, (width, last - first), interpolation=cv2.INTER_AREA)
        lowest, highest, mean = (
            _cast_plane(luma, plane[top - first : bottom - first])
            for plane in (cv2.erode(dark, kernel), cv2.dilate(light, kernel), small)
        )
        color_share = field.sample_masks(
            rows * first, len(luma[rows * first : rows * last]), *luma.shape
        )
        if color_share is not None:
            color_share = _reduce_mask(color_share, steps, kernel)[top - first : bottom - first]
        red, blue = upsampler.compute_offsets(top, mean, lowest, highest, color_share)
        planes[0, top:bottom] = _encode_chroma(blue, 1 / upsampler.cb_to_blue, coding)
        planes[1, top:bottom] = _encode_chroma(red, 1 / upsampler.cr_to_red, coding)
    return planes[0], planes[1]


def _reduce_mask(color_share: FloatArray, steps: tuple[int, int], kernel: Plane) -> FloatArray:
    """Take the minimum over the pixels that a chroma sample reaches, so that grey stays grey."""
    codes = np.rint(color_share * 255).astype(np.uint8)
    least = cv2.erode(_compute_extremes(_pad_to_blocks(codes, steps), steps)[0], kernel)
    return np.asarray(least, dtype=np.float32) / np.float32(255)


def _build_upsampler(
    field: ChromaField, coding: Coding, height: int, width: int
) -> ChromaUpsampler:
    return ChromaUpsampler(_convert_lines(field.lines, coding.weights), coding, height, width)


def _encode_chroma(color: FloatArray, factor: float, coding: Coding) -> Plane:
    """Convert offsets of red or blue to codes of Cr or Cb; `factor` is chroma per code."""
    scale = factor * coding.chroma_span
    if coding.depth == 8:
        # Colors in gamut have no negative codes, so "Abs" changes nothing.
        return np.asarray(cv2.convertScaleAbs(color, alpha=scale, beta=coding.neutral), np.uint8)
    deep = cv2.addWeighted(color, scale, color, 0.0, coding.neutral, dtype=cv2.CV_16U)
    return np.asarray(np.minimum(deep, (1 << coding.depth) - 1), dtype=np.uint16)


def _convert_lines(lines: FloatArray, weights: tuple[float, float]) -> FloatArray:
    """Convert the lines of a field to other luma weights; differences of R', G' and B' stay."""
    if weights == (KR, KB):
        return lines
    conversion = build_chroma_matrix(*weights) @ CHROMA_TO_RGB
    converted = cv2.transform(lines.reshape(len(lines), -1, 2), conversion)
    return np.asarray(converted.reshape(lines.shape), dtype=np.float32)


def _compute_extremes(padded: Plane, steps: tuple[int, int]) -> tuple[Plane, Plane]:
    """Return the minimum and the maximum of each block of `steps` rows and columns."""
    rows, columns = steps
    blocks: Any = np.ascontiguousarray(padded).reshape(len(padded), -1, columns)
    # Splitting columns by their position in a block is vectorized; slicing them is not.
    columns_apart = split_planes(blocks)

    def reduce_blocks(extreme: Any) -> Plane:
        narrow = reduce(extreme, columns_apart)
        return _cast_plane(padded, reduce(extreme, [narrow[at::rows] for at in range(rows)]))

    return reduce_blocks(cv2.min), reduce_blocks(cv2.max)


def _pad_to_blocks(luma: Plane, steps: tuple[int, int]) -> Plane:
    rows, columns = -luma.shape[0] % steps[0], -luma.shape[1] % steps[1]
    if not rows and not columns:
        return luma
    return _cast_plane(luma, np.pad(luma, ((0, rows), (0, columns)), mode="edge"))


def _cast_plane(luma: Plane, plane: npt.ArrayLike) -> Plane:
    """Type a plane as one of luma's depth, without a copy."""
    is_deep = luma.dtype == np.uint16
    return np.asarray(plane, dtype=np.uint16) if is_deep else np.asarray(plane, dtype=np.uint8)
