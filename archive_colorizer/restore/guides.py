"""Read the user's guides to the color of one photograph, and apply them."""

import hashlib
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from archive_colorizer.color.analysis.borders import find_content
from archive_colorizer.color.blend import build_spatial_mask
from archive_colorizer.color.propagate import propagate_colors
from archive_colorizer.color.space import (
    FloatArray,
    Plane,
    convert_ab_to_chroma,
    convert_rgb_to_lab,
)
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Companion, Role, Source
from archive_colorizer.restore.guide_files import Strokes, draw_points, read_mask
from archive_colorizer.storage.reading import read_source

_LOPSIDED: Final = 1.02
"""Ratio of proportions above which stretching the mask is visible."""


@dataclass(frozen=True, slots=True, eq=False)
class Guides:
    """Hold the companion files of a photograph as they were read.

    beside: with the sha256 of each.  mask: white keeps all of the color.  strokes: the encoded
    file of known colors, which is decoded at the size of the network's mask.
    """

    beside: tuple[Companion, ...] = ()
    mask: Plane | None = None
    strokes: bytes | None = None
    max_pixels: int = 0

    def get_name(self, role: Role) -> str:
        return next((companion.name for companion in self.beside if companion.role == role), role)

    def list_warnings(self, height: int, width: int) -> tuple[str, ...]:
        """Warn about a mask that does not fit a photograph of this size."""
        if self.mask is None:
            return ()
        ratio = self.mask.shape[0] * width / (self.mask.shape[1] * height)
        if 1 / _LOPSIDED <= ratio <= _LOPSIDED:
            return ()
        return (f"{self.get_name('mask')} has other proportions than the photograph: stretched",)

    def build_spatial_masks(self, luma: Plane, borders: str) -> tuple[Plane, ...]:
        """Build the masks at full size that reduce color: the user's, and one for borders."""
        masks = [] if self.mask is None else [build_spatial_mask(self.mask, *luma.shape)]
        content = find_content(luma) if borders == "auto" else None
        return (*masks, *([] if content is None else [content]))

    def apply_hints(
        self, mask: FloatArray, luma: FloatArray, whole: tuple[int, int], recipe: Recipe
    ) -> FloatArray:
        """Spread the colors of strokes and of the recipe's points over a mask.

        mask: h x w x 2 chroma on h x w luma.  whole: height and width of the photograph.
        Raises GuideError.
        """
        size = luma.shape[0], luma.shape[1]
        strokes = None
        if self.strokes is not None:
            strokes = Strokes.read(self.strokes, self.get_name("hints"), self.max_pixels, size)
        strokes = draw_points(strokes, recipe.hint, whole, size)
        if strokes is None:
            return mask
        hinted = convert_ab_to_chroma(
            luma, np.ascontiguousarray(convert_rgb_to_lab(strokes.rgb)[..., 1:])
        )
        return propagate_colors(mask, luma, hinted * np.float32(recipe.strength), strokes.held)

    @classmethod
    def read(cls, source: Source, max_pixels: int) -> "Guides":
        """Read the companions of a photograph.

        Raises SourceError, and GuideError for their content.
        """
        if not source.beside:
            return NO_GUIDES
        content: dict[Role, bytes] = {}
        beside = []
        for companion in source.beside:
            data, stamp = read_source(source.location.parent / companion.name)
            content[companion.role] = data
            digest = hashlib.sha256(data).hexdigest()
            beside.append(replace(companion, stamp=stamp, sha256=digest))
        guides = cls(tuple(beside), strokes=content.get("hints"), max_pixels=max_pixels)
        if "mask" not in content:
            return guides
        return replace(guides, mask=read_mask(content["mask"], guides.get_name("mask"), max_pixels))


NO_GUIDES: Final = Guides()
