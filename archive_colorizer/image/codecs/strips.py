"""Build a Raster from stored samples strip by strip, so that RGB is never whole in memory."""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Final

import numpy as np

from archive_colorizer.color.space import Plane, compute_luma
from archive_colorizer.errors import UnsupportedPicture
from archive_colorizer.image.codecs import vips
from archive_colorizer.image.codecs.planes import allocate_plane, is_grey
from archive_colorizer.image.codecs.preview import PreviewBuilder
from archive_colorizer.image.metadata.color_space import ColorPlan
from archive_colorizer.image.metadata.model import SourceMetadata
from archive_colorizer.image.raster import DecodeOptions, Format, ProfileRule, Raster
from archive_colorizer.storage.file_view import FileContent

PILLOW_ERRORS: Final = (OSError, SyntaxError, ValueError, LookupError, TypeError, struct.error)
"""What Pillow raises for damaged files."""

_COLORS: Final = {"b-w": 1, "grey16": 1, "rgb": 3, "srgb": 3, "rgb16": 3}
_WHOLE: Final[frozenset[Format]] = frozenset(("webp", "avif", "heif"))
"""Formats whose decoders hold the whole picture."""
_STRIP_PIXELS: Final = {1: 1 << 20, 2: 1 << 18}
"""Pixels of a strip by bytes per sample: small next to the picture, large enough to amortize
building the color transform, which costs more at 8 bit."""


@dataclass(frozen=True, slots=True, eq=False)
class Strips:
    """Stored samples in strips of whole rows from the top, n x W x C each, to be read once.

    shape: H x W.  dtype: uint8 or uint16.  iterator: yields strips that may be written to.
    """

    shape: tuple[int, int]
    dtype: np.dtype[Any]
    iterator: Iterator[Plane]

    @classmethod
    def from_samples(cls, samples: Plane) -> "Strips":
        """Cut H x W x C samples into strips."""
        return cls(samples.shape[:2], samples.dtype, _split_rows(samples))

    def split_alpha(self, colors: int, alpha: Plane | None) -> "Strips":
        """Keep the first `colors` channels and copy the next one to `alpha`, unless None."""

        def copy_alpha() -> Iterator[Plane]:
            top = 0
            for strip in self.iterator:
                if alpha is not None:
                    alpha[top : top + len(strip)] = strip[..., colors]
                top += len(strip)
                yield strip[..., :colors]

        return replace(self, iterator=copy_alpha())

    @classmethod
    def from_vips(cls, image: Any, name: str) -> "Strips":
        """Decode a libvips image; raises UnsupportedPicture, and DamagedPicture while iterating."""
        depth = vips.get_depth(image, name)
        iterator = vips.iterate_strips(image, name, _count_strip_rows(image.width, depth))
        return cls((image.height, image.width), depth, iterator)

    @classmethod
    def from_pillow(cls, image: Any) -> "Strips":
        """Cut a Pillow image of 8 bit, converted to RGB unless it is RGBA."""
        depth = np.dtype(np.uint8)
        rows = _count_strip_rows(image.width, depth)

        def crop_strips() -> Iterator[Plane]:
            for top in range(0, image.height, rows):
                part = image.crop((0, top, image.width, min(top + rows, image.height)))
                yield np.array(part if part.mode == "RGBA" else part.convert("RGB"))

        return cls((image.height, image.width), depth, crop_strips())

    def build_raster(
        self, alpha: Plane | None, metadata: SourceMetadata, kind: Format, rule: ProfileRule
    ) -> Raster:
        """Build a Raster of 1 or 3 channels; alpha may be filled while the strips are read."""
        luma = allocate_plane(self.shape, self.dtype, metadata)
        top, first = _fill_grey_rows(self.iterator, luma)
        if first is None:
            return _build_grey_raster(luma, alpha, metadata, kind, rule)
        plan = metadata.plan_conversion(True, rule)
        # All rows above the first color had R = G = B.
        above: Any = (np.repeat(part[..., None], 3, axis=2) for part in _split_rows(luma[:top]))
        colored: Iterator[Plane] = chain(above, (first,), self.iterator)
        preview = _fill(luma, (plan.convert(strip) for strip in colored))
        return _finish_raster(Raster(luma, kind, preview, alpha), metadata, plan)


def open_image(
    data: FileContent | vips.PictureStream, kind: Format, request: DecodeOptions, page: int = 0
) -> Any:
    """Open a libvips image and check its size; raises what `vips.open_picture` raises."""
    image = vips.open_picture(data, kind, request.name, page)
    if kind in _WHOLE:
        request.check_whole(image.width, image.height, len(data))
    else:
        request.check_size(image.width, image.height)
    return image


def decode_image(
    image: Any,
    metadata: SourceMetadata,
    kind: Format,
    request: DecodeOptions,
    has_alpha: bool = True,
) -> Raster:
    """Decode a libvips image; with `has_alpha`, a channel after the colors is alpha."""
    name = request.name
    if image.interpretation == "cmyk":
        image, note = vips.convert_cmyk(image, name)
        metadata = replace(metadata.add_warning(note), converted=True)
    colors = _COLORS.get(image.interpretation)
    if colors is None or image.bands < colors:
        raise UnsupportedPicture(
            f"{name}: channels of kind {image.interpretation} are not restored; convert it to RGB"
        )
    strips = Strips.from_vips(image, name)
    alpha: Plane | None = None
    if image.bands > colors and has_alpha:
        # libvips has already undone a multiplication by alpha.
        alpha = allocate_plane(strips.shape, strips.dtype, metadata)
    if image.bands > colors + (alpha is not None):
        metadata = metadata.add_warning("channels of unknown meaning were dropped")
    strips = strips.split_alpha(colors, alpha)
    return strips.build_raster(alpha, metadata, kind, request.profile)


def _count_strip_rows(width: int, depth: np.dtype[Any]) -> int:
    return max(1, _STRIP_PIXELS[depth.itemsize] // max(1, width))


def build_raster(
    samples: Plane, alpha: Plane | None, metadata: SourceMetadata, kind: Format, rule: ProfileRule
) -> Raster:
    """Build a Raster from stored samples: H x W grey values or H x W x 3 in R, G, B order.

    R = G = B everywhere counts as grey, without a preview.  Samples may be converted in place.
    """
    if samples.ndim == 2:
        return _build_grey_raster(samples, alpha, metadata, kind, rule)
    strips = Strips.from_samples(samples)
    return strips.build_raster(alpha, metadata, kind, rule)


def _build_grey_raster(
    grey: Plane, alpha: Plane | None, metadata: SourceMetadata, kind: Format, rule: ProfileRule
) -> Raster:
    plan = metadata.plan_conversion(False, rule)
    luma, preview = grey, None
    if plan.source is not None:
        luma = grey if grey.flags.writeable else np.empty_like(grey)
        preview = _fill(luma, (plan.convert(part) for part in _split_rows(grey)))
    return _finish_raster(Raster(luma, kind, preview, alpha), metadata, plan)


def _finish_raster(raster: Raster, metadata: SourceMetadata, plan: ColorPlan) -> Raster:
    raster = replace(raster, converted=plan.source is not None or metadata.converted)
    return metadata.prepare(plan).attach_to(raster)


def _fill_grey_rows(strips: Iterator[Plane], luma: Plane) -> tuple[int, Plane | None]:
    """Fill luma down to the first strip in color; return the number of rows, and that strip."""
    top = 0
    for strip in strips:
        if strip.shape[2] > 1 and not is_grey(strip):
            return top, strip
        luma[top : top + len(strip)] = strip[..., 0]
        top += len(strip)
    return top, None


def _fill(luma: Plane, strips: Iterable[Plane]) -> Any:
    """Fill luma with strips of grey or RGB; return a preview of RGB."""
    preview, top = None, 0
    height, width = luma.shape
    for strip in strips:
        rows = slice(top, top + len(strip))
        top += len(strip)
        if strip.ndim == 2:
            luma[rows] = strip
            continue
        preview = preview or PreviewBuilder(height, width, luma.dtype)
        preview.add(strip)
        luma[rows] = compute_luma(strip)
    return None if preview is None else preview.finish()


def _split_rows(samples: Plane) -> Iterator[Plane]:
    rows = _count_strip_rows(samples.shape[1], samples.dtype)
    for top in range(0, len(samples), rows):
        yield samples[top : top + rows]
