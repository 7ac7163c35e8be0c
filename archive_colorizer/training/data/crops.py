"""The pairs of luma and chroma that are made of photographs.

A crop is a pure function of (seed, number): nothing has to be remembered to go on with
a run, and any number of threads or processes gives the same crops.
"""

import hashlib
from array import array
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

from archive_colorizer.color.space import KB, KG, KR, chroma_of
from archive_colorizer.errors import SourceError, UsageError
from archive_colorizer.training.config import TrainingRecipe
from archive_colorizer.training.data.augment import age
from archive_colorizer.training.data.scan import index_photos as index_photos
from archive_colorizer.training.data.scan import read_photos as read_photos
from archive_colorizer.training.data.store import Part
from archive_colorizer.training.data.store import Photo as Photo

Floats = npt.NDArray[np.float32]
_TRIES = 20
_GREY = 3 / 255


def split_photos(photos: Sequence[Photo], share: float) -> tuple[Sequence[Photo], Sequence[Photo]]:
    """(training, validation): a group is kept aside when the hash of its name says so."""
    chosen = np.fromiter((_kept_aside(photo.group, share) for photo in photos), np.bool_)
    return Part(photos, np.flatnonzero(~chosen)), Part(photos, np.flatnonzero(chosen))


def _kept_aside(group: str, share: float) -> bool:
    digest = hashlib.sha256(group.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") < share * 2.0**64


def decode(content: bytes, shorter: int = 0) -> npt.NDArray[np.uint8]:
    """H x W x 3 uint8 RGB, as stored.

    A JPEG may come back smaller, by its own scaled decoding, but with no side under
    `shorter` if it had as much.  Raises SourceError when it cannot be decoded.
    """
    if content[:2] == b"\xff\xd8":
        try:
            made = simplejpeg.decode_jpeg(
                content, colorspace="RGB", min_height=shorter, min_width=shorter
            )
        except ValueError as error:
            raise SourceError(f"a JPEG cannot be decoded ({error})") from None
        return np.asarray(made, np.uint8)
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise SourceError("a picture cannot be decoded")
    return np.ascontiguousarray(picture[..., ::-1], np.uint8)


def to_planes(picture: npt.NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """From H x W x 3 uint8 RGB: Y in [0, 1], H x W, and CbCr in [-0.5, 0.5], 2 x H x W.

    Both float32, BT.601 full range, chroma centered on 0.
    """
    rgb = picture.astype(np.float32) / np.float32(255.0)
    luma = rgb @ np.array([KR, KG, KB], np.float32)
    return np.clip(luma, 0.0, 1.0), np.clip(chroma_of(rgb).transpose(2, 0, 1), -0.5, 0.5)


class Batch(NamedTuple):
    """Training crops, float32: what the network sees, and what was there.

    seen, luma: N x 1 x H x W in [0, 1], as aged and as photographed; chroma: N x 2 x H x W,
    CbCr in [-0.5, 0.5].
    """

    seen: Floats
    luma: Floats
    chroma: Floats


class Crops:
    """An endless, numbered supply of training pairs."""

    def __init__(self, photos: Sequence[Photo], recipe: TrainingRecipe) -> None:
        self.recipe = recipe
        numbers: dict[str, array[int]] = {}
        for number, photo in enumerate(photos):
            numbers.setdefault(photo.source, array("I")).append(number)
        self.by_source = {source: Part(photos, found) for source, found in numbers.items()}
        self.sources, self.chances = source_chances(
            {source: len(found) for source, found in self.by_source.items()}, recipe
        )
        self._edges = np.cumsum(self.chances)

    def batch(self, first: int, count: int, size: int) -> Batch:
        """Crops `first` to `first + count`."""
        crops = [self.crop(number, size) for number in range(first, first + count)]
        seen, luma, chroma = (np.stack(planes) for planes in zip(*crops, strict=True))
        return Batch(seen[:, None], luma[:, None], chroma)

    def crop(self, number: int, size: int) -> tuple[Floats, Floats, Floats]:
        """One of a batch; damaged photos and those without any color give way to another.

        Raises SourceError when a photo cannot be read: another in its place would make the
        crop depend on the state of a disk.
        """
        rng = np.random.default_rng((self.recipe.seed, number))
        for _ in range(_TRIES):
            index = int(np.searchsorted(self._edges, rng.random() * self._edges[-1], "right"))
            found = self.by_source[self.sources[min(index, len(self.sources) - 1)]]
            photo = found[int(rng.integers(len(found)))]
            content = photo.content
            try:
                luma, chroma = to_planes(_cut(content, size, rng))
            except SourceError:
                continue
            if np.abs(chroma).max() > _GREY:
                seen, chroma = age(luma, chroma, self.recipe.aging, rng)
                return seen, luma, chroma
        raise SourceError(f"{_TRIES} photos in a row are damaged or grey; check --data")


def source_chances(
    sizes: dict[str, int], recipe: TrainingRecipe
) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Sources with their chances: sqrt(size of the family) x its weight, shared by size."""
    family_of = {member: name for name, members in recipe.families.items() for member in members}
    known = set(sizes) | set(recipe.families)
    for name in recipe.weights:
        if name not in known and name not in family_of:
            raise UsageError(f"weights: no source or family is named {name!r}")
    totals: dict[str, int] = {}
    for source, size in sizes.items():
        family = family_of.get(source, source)
        totals[family] = totals.get(family, 0) + size
    chances = []
    for source, size in sizes.items():
        family = family_of.get(source, source)
        factor = recipe.weights.get(family, 1.0)
        if family != source:
            factor *= recipe.weights.get(source, 1.0)
        chances.append(factor * np.sqrt(totals[family]) * size / totals[family])
    total = float(sum(chances))
    if total <= 0:
        raise UsageError("weights: every source has weight 0; nothing is left to train on")
    return list(sizes), np.asarray(chances) / total


def _cut(content: bytes, size: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """A random square of a photo, at a random scale, perhaps mirrored: size x size x 3."""
    share = float(rng.uniform(0.55, 1.0))
    picture = decode(content, int(np.ceil(size / share)))
    height, width = picture.shape[:2]
    side = max(8, round(min(height, width) * share))
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    square = picture[top : top + side, left : left + side]
    way = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    made = cv2.resize(square, (size, size), interpolation=way)
    return np.ascontiguousarray(made[:, ::-1] if rng.random() < 0.5 else made, np.uint8)
