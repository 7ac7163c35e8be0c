"""Planes of samples: parted, joined, brought to other depths, and turned upright."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import Plane
from archive_colorizer.color.strip_image import Picture
from archive_colorizer.image.metadata.color_space import ColorPlan, plan_color
from archive_colorizer.image.metadata.icc import srgb
from archive_colorizer.image.metadata.model import Found, Reading, read_metadata, upright
from archive_colorizer.image.raster import ProfileRule, Raster

_STRIP: Final = 256


def plan_of(found: Found, color: bool, rule: ProfileRule) -> ColorPlan:
    """The color plan for what was found; pixels that are in sRGB already are tagged so."""
    if found.converted:
        return ColorPlan(None, srgb())
    return plan_color(found.icc, color, rule)


def turned(raster: Raster, reading: Reading) -> Raster:
    """The raster as seen, with its metadata and their warnings."""
    turn = reading.orientation
    return replace(
        raster,
        luma=upright(raster.luma, turn),
        preview=None if raster.preview is None else upright_rgb(raster.preview, turn),
        alpha=None if raster.alpha is None else upright(raster.alpha, turn),
        metadata=reading.metadata,
        warnings=raster.warnings + reading.warnings,
    )


def room_for(shape: tuple[int, int], depth: np.dtype[Any], found: Found) -> Plane:
    """An empty plane for samples as they are stored, which is upright in memory.

    So `turned` has nothing to copy.
    """
    turn = read_metadata(found, ColorPlan(None, None)).orientation
    plane: Any = np.empty(shape[::-1] if turn >= 5 else shape, depth)
    if turn in (2, 3, 6, 7):
        plane = plane[:, ::-1]
    if turn in (3, 4, 7, 8):
        plane = plane[::-1]
    stored: Plane = plane.swapaxes(0, 1) if turn >= 5 else plane
    return stored


def upright_rgb(rgb: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """`upright` for a preview."""
    return upright(rgb, orientation).astype(np.uint8, copy=False)


def channel(samples: Plane, index: int) -> Plane:
    """One channel of H x W x C samples as a plane of its own."""
    plane: Plane = np.ascontiguousarray(samples[..., index])  # type: ignore[assignment]
    return plane


def with_alpha(picture: Picture, alpha: Plane | None) -> Picture:
    """The picture with alpha as a fourth channel of its own depth; itself without alpha."""
    if alpha is None:
        return picture
    height, width, _ = picture.shape

    def strips() -> Iterator[Plane]:
        top = 0
        for strip in picture.strips():
            part = alpha[top : top + len(strip), :, None].astype(strip.dtype)
            joined: Plane = np.concatenate([strip, part], axis=2)
            yield joined
            top += len(strip)

    return Picture((height, width, 4), picture.dtype, strips)


def straight(samples: Plane, alpha: Plane) -> Plane:
    """Samples that were multiplied by alpha, divided again; where alpha is 0 they stay."""
    top = np.iinfo(samples.dtype).max
    result = np.empty_like(samples)
    for row in range(0, samples.shape[0], _STRIP):
        part = samples[row : row + _STRIP].astype(np.uint32)
        share = alpha[row : row + _STRIP].astype(np.uint32)
        share = share if part.ndim == 2 else share[..., None]
        whole = np.where(share, (part * top + share // 2) // np.maximum(share, 1), part)
        result[row : row + _STRIP] = np.minimum(whole, top)
    return result


def widened(samples: npt.NDArray[Any], depth: int) -> Plane:
    """Samples of `depth` bit spread over 8 or 16, so that white stays white."""
    top = 255 if depth < 8 else 65535
    table = np.arange(1 << depth, dtype=np.uint32) * top // ((1 << depth) - 1)
    return np.asarray(table.astype(np.uint8 if depth < 8 else np.uint16)[samples])


def rounded(samples: Plane) -> npt.NDArray[np.uint8]:
    """16 bit brought to 8, to the nearest, strip by strip."""
    result = np.empty(samples.shape, np.uint8)
    for top in range(0, samples.shape[0], _STRIP):
        result[top : top + _STRIP] = (samples[top : top + _STRIP].astype(np.uint32) + 128) // 257
    return result


def inverted(samples: Plane) -> Plane:
    """Samples in which white was zero."""
    turned: Plane = np.bitwise_not(samples)
    return turned


def is_grey(rgb: Plane) -> bool:
    """Whether R = G = B everywhere, of H x W x 3."""
    for row in range(0, rgb.shape[0], _STRIP):
        part = rgb[row : row + _STRIP]
        if not (
            np.array_equal(part[..., 0], part[..., 1])
            and np.array_equal(part[..., 1], part[..., 2])
        ):
            return False
    return True
