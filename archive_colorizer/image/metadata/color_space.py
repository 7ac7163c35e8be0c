"""Convert a source's color space to the one of its result.

LittleCMS converts 8 and 16 bit alike: relative colorimetric with black-point compensation.
A neutral picture needs only a table of its 256 or 65536 values.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import Plane
from archive_colorizer.image.metadata.icc import (
    build_rgb_profile,
    get_srgb_profile,
    is_usable,
    read_description,
)
from archive_colorizer.image.raster import ProfileRule

_STRIP_PIXELS: Final = 1 << 21
"""Small next to a picture, and large enough to amortize building the transform."""

_TOLERANCE: Final = 128
_NAMED_TOLERANCE: Final = 514
"""Of 65535: half a code of 8 bit, and two codes for profiles that call themselves sRGB, since
some small ones have coarse curves."""

_MAX_TINT: Final = 0.004
"""A share of white; a smaller tint of a profile's greys is rounding."""


@dataclass(frozen=True, slots=True)
class ColorPlan:
    """How the pixels are converted and how the result is tagged.

    source: the profile to convert from, or None when the pixels stay unchanged.
    tag: the profile of the result, or None.
    """

    source: bytes | None
    tag: bytes | None
    warnings: tuple[str, ...] = ()

    def convert(self, samples: Plane) -> Plane:
        """Convert samples as planned: H x W grey or H x W x 3.

        RGB is converted strip by strip, in place where its memory is writable.  Grey stays grey
        unless its profile tints it, as a scanner's may.
        """
        if self.source is None:
            return samples
        rgb: Any = samples
        if samples.ndim == 2:
            table = _build_grey_table(self.source, samples.dtype.itemsize)
            if table is not None:
                return np.asarray(table[samples])
            rgb = np.dstack([samples] * 3)
        target = rgb if rgb.flags.writeable else np.empty_like(rgb)
        rows = max(1, _STRIP_PIXELS // max(1, rgb.shape[1]))
        for top in range(0, rgb.shape[0], rows):
            target[top : top + rows] = to_srgb(rgb[top : top + rows], self.source)
        return np.asarray(target)


def plan_color(icc: bytes | None, color: bool, rule: ProfileRule) -> ColorPlan:
    """Plan the conversion of a grey or RGB picture; `color` says that its channels differ.

    "srgb" converts every other color space and tags the result; a picture without a profile
    counts as sRGB, as in every viewer.  "keep" converts nothing and adds no tag.
    """
    untagged = get_srgb_profile() if rule == "srgb" else None
    if icc is None:
        return ColorPlan(None, untagged)
    space = icc[16:20]
    if not is_usable(icc):
        return ColorPlan(None, untagged, ("the ICC profile is damaged and was dropped",))
    if space != b"RGB " and (space != b"GRAY" or color):
        note = "the ICC profile does not fit the picture's channels and was dropped"
        return ColorPlan(None, untagged, (note,))
    try:
        tag = icc if _is_srgb(icc) else None
    except ValueError:
        return ColorPlan(None, untagged, ("the ICC profile cannot be used and was dropped",))
    if rule == "keep":
        # A grey profile without a tone curve has no RGB counterpart, so it is converted.
        tag = icc if space == b"RGB " else build_rgb_profile(icc)
    if tag:
        return ColorPlan(None, tag)
    name = "".join(char for char in read_description(icc) if char.isprintable()).strip()[:60]
    note = f"colors were converted from {name or 'its profile'} to sRGB"
    return ColorPlan(icc, get_srgb_profile(), (note,))


def to_srgb(samples: npt.NDArray[Any], icc: bytes) -> npt.NDArray[Any]:
    """Convert samples of 8 or 16 bit (H x W grey or H x W x 3) to sRGB, H x W x 3.

    Raises ValueError when LittleCMS cannot use the profile.
    """
    import imagecodecs

    flags = int(imagecodecs.CMS.FLAGS.BLACKPOINTCOMPENSATION)
    if samples.itemsize == 2 or samples.ndim == 2:
        # LittleCMS's optimization for 16 bit errs by up to 10 codes of 8 bit in the shadows.
        flags |= int(imagecodecs.CMS.FLAGS.NOOPTIMIZE)
    try:
        converted = imagecodecs.cms_transform(
            np.ascontiguousarray(samples),
            icc,
            get_srgb_profile(),
            colorspace="gray" if samples.ndim == 2 else "rgb",
            outcolorspace="rgb",
            intent=imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC,
            flags=flags,
        )
    except (imagecodecs.CmsError, ValueError) as error:
        raise ValueError(str(error)) from None
    return np.asarray(converted)


@lru_cache(maxsize=8)
def _is_srgb(icc: bytes) -> bool:
    """Whether a profile leaves the sRGB values of a grid of colors unchanged.

    Profiles of the same space differ in their text and curves, so only their effect counts.
    Raises ValueError when LittleCMS cannot use it.
    """
    if icc[16:20] == b"GRAY":
        ramp = np.arange(0, 65536, 257, dtype=np.uint16)[None, :]
        probe = np.dstack([ramp] * 3)
        converted = to_srgb(ramp, icc)
    else:
        steps = np.linspace(0, 65535, 9).astype(np.uint16)
        grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
        probe = np.ascontiguousarray(grid)
        converted = to_srgb(probe, icc)
    distance = int(np.abs(converted.astype(np.int64) - probe).max())
    return distance <= (_NAMED_TOLERANCE if "srgb" in read_description(icc).lower() else _TOLERANCE)


@lru_cache(maxsize=2)
def _build_grey_table(icc: bytes, size: int) -> npt.NDArray[Any] | None:
    """Tabulate sRGB grey for each grey value of `size` bytes; None if the profile tints greys."""
    ramp = np.arange(1 << 8 * size, dtype=np.uint16 if size == 2 else np.uint8)[None, :]
    converted = to_srgb(ramp if icc[16:20] == b"GRAY" else np.dstack([ramp] * 3), icc)
    white = (1 << 8 * size) - 1
    if float(np.ptp(converted.astype(np.int64), axis=2).max()) > max(1.0, _MAX_TINT * white):
        return None
    return np.ascontiguousarray(converted[0, :, 1])
