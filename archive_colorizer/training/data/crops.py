"""Draw training pairs of luma and chroma from photographs.

A crop is a pure function of (seed, number), so that a run can resume without any state and any
number of threads or processes draws the same crops.
"""

import hashlib
from array import array
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

from archive_colorizer.color.space import KB, KG, KR, ByteArray, FloatArray, compute_chroma
from archive_colorizer.errors import SourceError, UsageError
from archive_colorizer.training.config import TrainingRecipe
from archive_colorizer.training.data.augment import age
from archive_colorizer.training.data.scan import index_photos as index_photos
from archive_colorizer.training.data.scan import read_photos as read_photos
from archive_colorizer.training.data.store import PhotoSubset
from archive_colorizer.training.data.store import TrainingPhoto as TrainingPhoto

_TRIES = 20
_GREY = 3 / 255
_CLOSEST = 0.8  # side of the smallest second view


def split_photos(
    photos: Sequence[TrainingPhoto], share: float
) -> tuple[Sequence[TrainingPhoto], Sequence[TrainingPhoto]]:
    """Split into (training, validation) by the hash of each group's name."""
    chosen = np.fromiter((_is_for_validation(photo.group, share) for photo in photos), np.bool_)
    rows = np.flatnonzero(~chosen), np.flatnonzero(chosen)
    return PhotoSubset(photos, rows[0]), PhotoSubset(photos, rows[1])


def _is_for_validation(group: str, share: float) -> bool:
    digest = hashlib.sha256(group.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") < share * 2.0**64


def decode_photo(content: bytes, shorter: int = 0) -> ByteArray:
    """Decode a photo to H x W x 3 uint8 RGB.

    A JPEG may be decoded at a reduced size, but with no side below `shorter` unless the photo
    is smaller.  Raises SourceError when it cannot be decoded.
    """
    if content[:2] == b"\xff\xd8":
        try:
            pixels = simplejpeg.decode_jpeg(
                content, colorspace="RGB", min_height=shorter, min_width=shorter
            )
        except ValueError as error:
            raise SourceError(f"a JPEG cannot be decoded ({error})") from None
        return np.asarray(pixels, np.uint8)
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise SourceError("a picture cannot be decoded")
    return np.ascontiguousarray(picture[..., ::-1], np.uint8)


def to_planes(picture: ByteArray) -> tuple[FloatArray, FloatArray]:
    """Convert H x W x 3 uint8 RGB to Y in [0, 1], H x W, and CbCr in [-0.5, 0.5], 2 x H x W.

    Both are float32, BT.601 full range.
    """
    rgb = picture.astype(np.float32) / np.float32(255.0)
    luma = rgb @ np.array([KR, KG, KB], np.float32)
    return np.clip(luma, 0.0, 1.0), np.clip(compute_chroma(rgb).transpose(2, 0, 1), -0.5, 0.5)


class Batch(NamedTuple):
    """Hold float32 training crops: the aged luma (the network's input), and the truth.

    aged, luma: N x 1 x H x W in [0, 1]; chroma: N x 2 x H x W, CbCr in [-0.5, 0.5].
    transforms: empty if there is one view of each crop.  If there are two, all first views come
    before all second ones, and it is N / 2 x 2 x 3: the affine maps from places of a second view
    to those of the first, both in [-1, 1], x before y.
    """

    aged: FloatArray
    luma: FloatArray
    chroma: FloatArray
    transforms: FloatArray


class CropSampler:
    """Draw an endless, numbered sequence of training pairs."""

    def __init__(self, photos: Sequence[TrainingPhoto], recipe: TrainingRecipe) -> None:
        self.recipe = recipe
        numbers: dict[str, array[int]] = {}
        for number, photo in enumerate(photos):
            numbers.setdefault(photo.source, array("I")).append(number)
        self.by_source = {source: PhotoSubset(photos, rows) for source, rows in numbers.items()}
        sizes = {source: len(rows) for source, rows in numbers.items()}
        self.sources, self.chances = compute_source_chances(sizes, recipe)
        self._edges = np.cumsum(self.chances)

    def make_batch(self, first: int, count: int, size: int) -> Batch:
        """Draw crops `first` to `first + count` (exclusive), or half as many in two views each."""
        views = 2 if self.recipe.consistency_weight else 1
        drawn = [self._draw(number, size, views) for number in range(first, first + count, views)]
        crops = [crops[view] for view in range(views) for crops, _ in drawn]
        aged, luma, chroma = (np.stack(planes) for planes in zip(*crops, strict=True))
        transforms = np.stack([transform for _, transform in drawn])
        return Batch(aged[:, None], luma[:, None], chroma, transforms[: len(crops) * (views - 1)])

    def draw_crop(self, number: int, size: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Draw aged luma, luma and chroma of one crop; damaged and grey photos are replaced.

        Raises SourceError when a photo cannot be read.
        """
        return self._draw(number, size, 1)[0][0]

    def _draw(
        self, number: int, size: int, views: int
    ) -> tuple[list[tuple[FloatArray, FloatArray, FloatArray]], FloatArray]:
        """Draw aged luma, luma and chroma of each view of a crop, and the views' transform.

        A photo without any color is a grey photograph, from which nothing can be learned; a crop
        without color of another photo teaches what has none.  Raises SourceError when a photo
        cannot be read: a replacement would make the crop depend on the state of the disk.
        """
        rng = np.random.default_rng((self.recipe.seed, number))
        for _ in range(_TRIES):
            index = int(np.searchsorted(self._edges, rng.random() * self._edges[-1], "right"))
            photos = self.by_source[self.sources[min(index, len(self.sources) - 1)]]
            photo = photos[int(rng.integers(len(photos)))]
            content = photo.content
            try:
                squares, transform = _cut_views(content, size, views, rng)
            except SourceError:
                continue
            if squares:
                pairs = map(to_planes, squares)
                return [self._age(luma, chroma, rng) for luma, chroma in pairs], transform
        raise SourceError(f"{_TRIES} photos in a row are damaged or grey; check --data")

    def _age(
        self, luma: FloatArray, chroma: FloatArray, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        aged, chroma = age(luma, chroma, self.recipe.aging, rng)
        return aged, luma, chroma


def compute_source_chances(
    sizes: dict[str, int], recipe: TrainingRecipe
) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Compute the chance of each source: sqrt(family size) x weight, divided by size."""
    family_of = {member: name for name, members in recipe.families.items() for member in members}
    for name in recipe.weights:
        if name not in sizes and name not in recipe.families and name not in family_of:
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


def _cut_views(
    content: bytes, size: int, views: int, rng: np.random.Generator
) -> tuple[list[ByteArray], FloatArray]:
    """Cut a random square at a random scale, perhaps mirrored, and perhaps a second from within.

    Returns `size` x `size` x 3 pictures, none if the photo is grey, and the transform that takes
    places of the second to those of the first; see `Batch`.
    """
    share = float(rng.uniform(0.55, 1.0))
    picture = decode_photo(content, int(np.ceil(size / share)))
    if not _has_color(picture):
        return [], np.zeros((2, 3), np.float32)
    height, width = picture.shape[:2]
    side = max(8, round(min(height, width) * share))
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    square = picture[top : top + side, left : left + side]
    if rng.random() < 0.5:
        square = square[:, ::-1]
    squares, transform = [_resize(square, size)], np.eye(2, 3, dtype=np.float32)
    if views > 1:
        inner = max(8, round(side * rng.uniform(_CLOSEST, 1.0)))
        down, right = (int(edge) for edge in rng.integers(side - inner + 1, size=2))
        closer = square[down : down + inner, right : right + inner]
        mirror = -1.0 if rng.random() < 0.5 else 1.0
        squares.append(_resize(closer[:, ::-1] if mirror < 0 else closer, size))
        scale = inner / side
        middles = ((2.0 * edge + inner) / side - 1.0 for edge in (right, down))
        transform[:] = [[mirror * scale, 0.0, next(middles)], [0.0, scale, next(middles)]]
    return squares, transform


def _has_color(picture: ByteArray) -> bool:
    """Tell whether any of about 4,000 pixels has a chroma of more than 3 / 255."""
    step = max(1, min(picture.shape[:2]) // 64)
    _, chroma = to_planes(np.ascontiguousarray(picture[::step, ::step]))
    return bool(np.abs(chroma).max() > _GREY)


def _resize(square: ByteArray, size: int) -> ByteArray:
    interpolation = cv2.INTER_AREA if len(square) > size else cv2.INTER_LINEAR
    resized = cv2.resize(np.ascontiguousarray(square), (size, size), interpolation=interpolation)
    return np.ascontiguousarray(resized, np.uint8)
