"""What a person has said about the color of one photograph, read from beside it."""

import hashlib
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from archive_colorizer.color.analysis.borders import find_content
from archive_colorizer.color.propagate import spread
from archive_colorizer.color.space import FloatArray, Plane, chroma_of_ab, lab_of
from archive_colorizer.color.spatial_mask import share_of
from archive_colorizer.location import Place
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Companion, Role, Source
from archive_colorizer.restore.guide_files import read_mask, read_strokes, with_points
from archive_colorizer.storage.reading import check_unchanged, read_source

_LOPSIDED: Final = 1.02
"""A mask whose proportions differ by more is stretched visibly."""


@dataclass(frozen=True, slots=True, eq=False)
class Aids:
    """The files beside a photograph as they were read, and what they say.

    beside: with the sha256 of each.  mask: white for all of the color.  strokes: the content of
    the file of known colors, which is decoded at the size at which it is wanted.
    """

    beside: tuple[Companion, ...] = ()
    mask: Plane | None = None
    strokes: bytes | None = None
    max_pixels: int = 0

    def name_of(self, role: Role) -> str:
        """The file's name, for messages."""
        return next((one.name for one in self.beside if one.role == role), role)

    def warnings(self, height: int, width: int) -> tuple[str, ...]:
        """What is odd about them for a photograph of this size."""
        if self.mask is None:
            return ()
        ratio = self.mask.shape[0] * width / (self.mask.shape[1] * height)
        if 1 / _LOPSIDED <= ratio <= _LOPSIDED:
            return ()
        return (f"{self.name_of('mask')} has other proportions than the photograph: stretched",)

    def shares(self, luma: Plane, borders: str) -> tuple[Plane, ...]:
        """Where the color of a photograph with this luma is taken back, at full size."""
        found = [] if self.mask is None else [share_of(self.mask, *luma.shape)]
        content = find_content(luma) if borders == "auto" else None
        return (*found, *([] if content is None else [content]))

    def with_known(
        self, mask: FloatArray, luma: FloatArray, whole: tuple[int, int], recipe: Recipe
    ) -> FloatArray:
        """The mask (h x w x 2 chroma on h x w luma) with the known colors spread over it.

        Those are of the strokes beside the photograph and the recipe's own points.  whole:
        height and width of the photograph.  Raises GuideError.
        """
        size = luma.shape[0], luma.shape[1]
        strokes = None
        if self.strokes is not None:
            strokes = read_strokes(self.strokes, self.name_of("hints"), self.max_pixels, size)
        strokes = with_points(strokes, recipe.hint, whole, size)
        if strokes is None:
            return mask
        known = chroma_of_ab(luma, np.ascontiguousarray(lab_of(strokes.rgb)[..., 1:]))
        return spread(mask, luma, known * np.float32(recipe.strength), strokes.held)


NO_AIDS: Final = Aids()


def read_aids(source: Source, max_pixels: int) -> Aids:
    """Read what lies beside a photograph; raises SourceError, which names the file.

    GuideError for what is in it.
    """
    if not source.beside:
        return NO_AIDS
    content: dict[Role, bytes] = {}
    beside = []
    for one in source.beside:
        data, stamp = read_source(source.place.parent / one.name)
        content[one.role] = data
        digest = hashlib.sha256(data).hexdigest()
        beside.append(replace(one, stamp=stamp, sha256=digest))
    aids = Aids(tuple(beside), strokes=content.get("hints"), max_pixels=max_pixels)
    if "mask" not in content:
        return aids
    return replace(aids, mask=read_mask(content["mask"], aids.name_of("mask"), max_pixels))


def check_aids(source: Place, beside: tuple[Companion, ...]) -> None:
    """Raise SourceChanged when a file beside the source is not what was read."""
    for one in beside:
        if one.stamp is not None:
            check_unchanged(source.parent / one.name, one.stamp)
