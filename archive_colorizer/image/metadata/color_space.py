"""Color management: from a source's color space to the one that its result is written in.

LittleCMS does it, for 8 and 16 bit alike: relative colorimetric with black-point
compensation.  A neutral picture needs only a table of its 256 or 65536 values.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import Plane
from archive_colorizer.image.metadata.icc import description, for_rgb, opens, srgb
from archive_colorizer.image.raster import ProfileRule

_AT_A_TIME: Final = 1 << 21
"""Pixels of a strip: enough to forget the making of a transform, little beside a picture."""

_SAME: Final = 128
_NEARLY_SAME: Final = 514
"""Of 65535; half a code of 8 bit, and two for profiles that call themselves sRGB: the short
curves of some small ones are that coarse."""

_TINT: Final = 0.004
"""A share of white: below it, the color that a profile gives to its greys is rounding."""


class _Unusable(ValueError):
    """LittleCMS cannot make a transform of a profile."""


@dataclass(frozen=True, slots=True)
class ColorPlan:
    """What is done to the pixels and what the result is tagged with.

    source: the profile to convert from, or None when the pixels stay as they are.
    tag: the profile of the result, or None.  warnings: what was done or could not be.
    """

    source: bytes | None
    tag: bytes | None
    warnings: tuple[str, ...] = ()


def plan_color(icc: bytes | None, color: bool, rule: ProfileRule) -> ColorPlan:
    """Decide for a grey or RGB picture; `color` says that its channels differ.

    "srgb": whatever is not sRGB is converted to it, and the result is tagged; a picture
    without a profile is taken for sRGB, as every viewer does.  "keep": nothing is converted
    and nothing is tagged that was not.
    """
    untagged = srgb() if rule == "srgb" else None
    if icc is None:
        return ColorPlan(None, untagged)
    if not opens(icc):
        return ColorPlan(None, untagged, ("the ICC profile is damaged and was dropped",))
    fits = icc[16:20] == b"RGB " or (icc[16:20] == b"GRAY" and not color)
    if not fits:
        note = "the ICC profile does not fit the picture's channels and was dropped"
        return ColorPlan(None, untagged, (note,))
    try:
        same = is_srgb(icc)
    except _Unusable:
        return ColorPlan(None, untagged, ("the ICC profile cannot be used and was dropped",))
    kept = icc if same else None
    if rule == "keep":
        # A grey profile without a tone curve has no counterpart in RGB: it is converted.
        kept = for_rgb(icc, color)[0]
    if kept:
        return ColorPlan(None, kept)
    said = "".join(char for char in description(icc) if char.isprintable()).strip()[:60]
    return ColorPlan(icc, srgb(), (f"colors were converted from {said or 'its profile'} to sRGB",))


def in_working_space(samples: Plane, plan: ColorPlan) -> Plane:
    """The samples as the plan wants them: H x W grey or H x W x 3.

    RGB is converted strip by strip in its own memory, where that can be written to.  Grey
    stays grey, unless its profile gives color to it (that of a scanner may).
    """
    if plan.source is None:
        return samples
    if samples.ndim == 2:
        table = _table(plan.source, samples.dtype.itemsize)
        if table is not None:
            return np.asarray(table[samples])
        return _converted(np.dstack([samples] * 3), plan.source)
    return _converted(samples, plan.source)


def _converted(samples: Any, icc: bytes) -> Plane:
    target = samples if samples.flags.writeable else np.empty_like(samples)
    rows = max(1, _AT_A_TIME // max(1, samples.shape[1]))
    for top in range(0, samples.shape[0], rows):
        target[top : top + rows] = to_srgb(samples[top : top + rows], icc)
    return np.asarray(target)


def to_srgb(samples: npt.NDArray[Any], icc: bytes) -> npt.NDArray[Any]:
    """H x W grey or H x W x 3 samples of 8 or 16 bit, in sRGB: H x W x 3.

    Raises ValueError when LittleCMS cannot use the profile.
    """
    import imagecodecs

    flags = int(imagecodecs.CMS.FLAGS.BLACKPOINTCOMPENSATION)
    if samples.itemsize == 2 or samples.ndim == 2:
        # What LittleCMS optimizes for 16 bit is off by up to 10 codes of 8 bit in the shadows.
        flags |= int(imagecodecs.CMS.FLAGS.NOOPTIMIZE)
    try:
        shown = imagecodecs.cms_transform(
            np.ascontiguousarray(samples),
            icc,
            srgb(),
            colorspace="gray" if samples.ndim == 2 else "rgb",
            outcolorspace="rgb",
            intent=imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC,
            flags=flags,
        )
    except (imagecodecs.CmsError, ValueError) as error:
        raise _Unusable(str(error)) from None
    return np.asarray(shown)


@lru_cache(maxsize=8)
def is_srgb(icc: bytes) -> bool:
    """Whether a profile leaves sRGB values where they are, for a grid of colors.

    Judged by what it does, since profiles of one space differ in words and in curves.
    Raises ValueError when LittleCMS cannot use it.
    """
    if icc[16:20] == b"GRAY":
        ramp = np.arange(0, 65536, 257, dtype=np.uint16)[None, :]
        probe = np.dstack([ramp] * 3)
        shown = to_srgb(ramp, icc)
    else:
        steps = np.linspace(0, 65535, 9).astype(np.uint16)
        grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
        probe = np.ascontiguousarray(grid)
        shown = to_srgb(probe, icc)
    away = int(np.abs(shown.astype(np.int64) - probe).max())
    return away <= (_NEARLY_SAME if "srgb" in description(icc).lower() else _SAME)


@lru_cache(maxsize=2)
def _table(icc: bytes, size: int) -> npt.NDArray[Any] | None:
    """sRGB grey for each grey value of `size` bytes, or None when the profile tints greys."""
    ramp = np.arange(1 << 8 * size, dtype=np.uint16 if size == 2 else np.uint8)[None, :]
    shown = to_srgb(ramp if icc[16:20] == b"GRAY" else np.dstack([ramp] * 3), icc)
    white = (1 << 8 * size) - 1
    if float(np.ptp(shown.astype(np.int64), axis=2).max()) > max(1.0, _TINT * white):
        return None
    return np.ascontiguousarray(shown[0, :, 1])
