"""From stored samples to a Raster, strip by strip, so that RGB need never be whole in memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Final

import numpy as np

from archive_colorizer.color.space import Plane, luma_of
from archive_colorizer.image.codecs import vips
from archive_colorizer.image.codecs.planes import is_grey, plan_of, room_for, turned
from archive_colorizer.image.codecs.preview import Preview
from archive_colorizer.image.metadata.color_space import ColorPlan, in_working_space
from archive_colorizer.image.metadata.model import Found, read_metadata
from archive_colorizer.image.raster import Format, ProfileRule, Raster

_PIXELS: Final = {1: 1 << 20, 2: 1 << 18}
"""Of a strip, by bytes of a sample: little beside a picture, and enough to forget the making of a
color transform, which is dearer at 8 bit, where more is computed beforehand."""


@dataclass(frozen=True, slots=True, eq=False)
class Strips:
    """Stored samples as a decoder gives them, once: whole rows from the top, n x W x C each.

    shape: H x W.  dtype: uint8 or uint16.  each: whoever takes a strip may write in it.
    """

    shape: tuple[int, int]
    dtype: np.dtype[Any]
    each: Iterator[Plane]

    @classmethod
    def of(cls, samples: Plane) -> "Strips":
        """Of H x W x C samples that are whole already."""
        height, width, _ = samples.shape
        return cls((height, width), samples.dtype, _parts(samples))

    def parted(self, colors: int, alpha: Plane | None) -> "Strips":
        """The first `colors` channels; the next one goes to the plane `alpha`, if there is one."""

        def each() -> Iterator[Plane]:
            top = 0
            for strip in self.each:
                if alpha is not None:
                    alpha[top : top + len(strip)] = strip[..., colors]
                top += len(strip)
                yield strip[..., :colors]

        return replace(self, each=each())


def strips_of(image: Any, name: str) -> Strips:
    """What libvips decodes; raises UnsupportedPicture, and DamagedPicture when damage is met."""
    depth = vips.depth_of(image, name)
    each = vips.strips(image, name, rows_of(image.width, depth))
    return Strips((image.height, image.width), depth, each)


def strips_of_image(image: Any) -> Strips:
    """Of a Pillow image of 8 bit, which is RGBA or becomes RGB."""
    depth = np.dtype(np.uint8)
    rows = rows_of(image.width, depth)

    def each() -> Iterator[Plane]:
        for top in range(0, image.height, rows):
            part = image.crop((0, top, image.width, min(top + rows, image.height)))
            yield np.array(part if part.mode == "RGBA" else part.convert("RGB"))

    return Strips((image.height, image.width), depth, each())


def rows_of(width: int, depth: np.dtype[Any]) -> int:
    """How many rows make a strip."""
    return max(1, _PIXELS[depth.itemsize] // max(1, width))


def raster_of(
    samples: Plane, alpha: Plane | None, found: Found, kind: Format, rule: ProfileRule
) -> Raster:
    """A Raster from stored samples: H x W grey values or H x W x 3 in R, G, B order.

    R = G = B everywhere counts as grey: no preview, and that value as luma.  Samples may be
    converted in place.
    """
    if samples.ndim == 3:
        return raster_of_strips(Strips.of(samples), alpha, found, kind, rule)
    return _of_grey(samples, alpha, found, kind, rule)


def raster_of_strips(
    strips: Strips, alpha: Plane | None, found: Found, kind: Format, rule: ProfileRule
) -> Raster:
    """As `raster_of`, of strips with 1 or 3 channels; alpha need not be there before the last."""
    luma = room_for(strips.shape, strips.dtype, found)
    each = iter(strips.each)
    top, first = _take_grey(each, luma)
    if first is None:
        return _of_grey(luma, alpha, found, kind, rule)
    plan = plan_of(found, True, rule)
    # What was above the first color had R = G = B, too.
    colored = chain(_as_rgb(luma[:top]), (first,), each)
    shown = (in_working_space(one, plan) for one in colored)
    raster = Raster(luma=luma, format=kind, preview=_fill(luma, shown))
    return _finished(replace(raster, alpha=alpha), found, plan)


def _of_grey(
    grey: Plane, alpha: Plane | None, found: Found, kind: Format, rule: ProfileRule
) -> Raster:
    plan = plan_of(found, False, rule)
    luma, preview = grey, None
    if plan.source is not None:
        luma = grey if grey.flags.writeable else np.empty_like(grey)
        preview = _fill(luma, (in_working_space(one, plan) for one in _parts(grey)))
    raster = Raster(luma=luma, format=kind, preview=preview, alpha=alpha)
    return _finished(raster, found, plan)


def _finished(raster: Raster, found: Found, plan: ColorPlan) -> Raster:
    converted = plan.source is not None or found.converted
    return turned(replace(raster, converted=converted), read_metadata(found, plan))


def _take_grey(each: Iterator[Plane], luma: Plane) -> tuple[int, Plane | None]:
    """Fill luma down to the first strip in color: rows that are filled, and that strip."""
    top = 0
    for strip in each:
        if strip.shape[2] > 1 and not is_grey(strip):
            return top, strip
        luma[top : top + len(strip)] = strip[..., 0]
        top += len(strip)
    return top, None


def _fill(luma: Plane, strips: Iterable[Plane]) -> Any:
    """Fill luma with strips of grey or RGB; the preview of the latter."""
    preview, top = None, 0
    height, width = luma.shape
    for strip in strips:
        rows = slice(top, top + len(strip))
        top += len(strip)
        if strip.ndim == 2:
            luma[rows] = strip
            continue
        preview = preview or Preview(height, width, luma.dtype)
        preview.add(strip)
        luma[rows] = luma_of(strip)
    return None if preview is None else preview.made()


def _parts(samples: Plane) -> Iterator[Plane]:
    rows = rows_of(samples.shape[1], samples.dtype)
    for top in range(0, len(samples), rows):
        yield samples[top : top + rows]


def _as_rgb(grey: Plane) -> Iterator[Plane]:
    for part in _parts(grey):
        joined: Any = np.repeat(part[..., None], 3, axis=2)
        yield joined
