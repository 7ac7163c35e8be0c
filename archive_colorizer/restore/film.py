"""One part of a shot from luma to color, on the worker: what the network sees stays small.

The part is read twice.  First the network looks at each of its frames, and at those around it
in the same shot; of them only masks are kept, at the network's size.  Then each frame is read
again, full size, and colored with its mask.  So memory does not grow with the film.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np

from archive_colorizer.color.blend import blend_coded
from archive_colorizer.color.sizes import shrink
from archive_colorizer.color.smooth import Mask, glimpse, steady, with_surroundings
from archive_colorizer.color.space import FloatArray, white_of
from archive_colorizer.media.film import ColorFrame, Film, FilmFacts, Frame, Layout
from archive_colorizer.model.adapt import working_size
from archive_colorizer.model.colorizer import Colorizer
from archive_colorizer.model.contract import InputContract
from archive_colorizer.recipe import Recipe
from archive_colorizer.records import Part
from archive_colorizer.restore.recolor import field_of, luma_for, masks_of

_BATCH: Final = 8
"""Frames that the network sees at once, where its contract allows that."""


def restore_part(
    film: Film,
    part: Part,
    colorizer: Colorizer,
    recipe: Recipe,
    smoothing: float,
    layout: Layout,
) -> Iterator[ColorFrame]:
    """The frames of a part in color, in order; luma is the film's own in the layout's depth.

    smoothing: 0 colors each frame for itself, up to 1.  A part gives what its whole shot would
    give for these frames, but for what `color.smooth.reach` leaves out.  Raises DamagedPicture
    for a frame of the part that cannot be decoded (one beside it ends what is looked at), and
    ModelOutputError when the network gives NaN.
    """
    view = _View(film.facts, colorizer.contract.input)
    masks = _masks(film, part, colorizer, smoothing, view)
    for frame, mask in zip(film.frames(part.first, part.last), masks, strict=True):
        stored = view.as_stored(mask.astype(np.float32))
        field = field_of(stored, view.as_stored(view.seen(frame)), recipe)
        luma = layout.luma_from(frame.luma, film.facts.codes)
        cb, cr = blend_coded(luma, field, layout.codes, layout.steps)
        yield ColorFrame(frame.index, frame.pts, luma, cb, cr)


@dataclass(frozen=True, slots=True)
class _View:
    """How the network sees a film: upright, and with square pixels."""

    facts: FilmFacts
    given: InputContract

    def seen(self, frame: Frame) -> FloatArray:
        """Luma at the network's size, 0..1."""
        height, width = frame.luma.shape
        turns = self.facts.rotation // 90
        shown = (height, max(1, round(width * self.facts.pixel_aspect)))
        size = working_size(self.given, *shown[:: -1 if turns % 2 else 1])
        small = shrink(frame.luma, *size[:: -1 if turns % 2 else 1])
        codes = self.facts.codes
        exact = small * np.float32(white_of(frame.luma)) - np.float32(codes.black)
        unit = np.clip(exact / np.float32(codes.white - codes.black), 0, 1)
        # np.rot90 turns counterclockwise, the film's rotation is clockwise.
        return np.ascontiguousarray(np.rot90(unit, -turns), dtype=np.float32)

    def as_stored(self, upright: FloatArray) -> FloatArray:
        """A plane or a mask as the frames are stored."""
        return np.ascontiguousarray(np.rot90(upright, self.facts.rotation // 90))


def _masks(
    film: Film, part: Part, colorizer: Colorizer, smoothing: float, view: _View
) -> Iterator[Mask]:
    """The masks of a part's frames, upright."""
    if smoothing == 0:
        alone = map(view.seen, film.frames(part.first, part.last))
        return (mask for _, mask in _inferred(alone, colorizer))
    around = with_surroundings(
        part.first, part.last, range(part.shot.first, part.shot.last), smoothing
    )
    before = _before(film, part, around, view)
    skipped = len(before)
    lumas = _in_turn(before, film, part, around, view)
    known = [
        glimpse(mask.astype(np.float16), luma_for(mask, seen))
        for seen, mask in _inferred(lumas, colorizer)
    ]
    return islice(steady(known, smoothing), skipped, skipped + part.frames)


def _before(film: Film, part: Part, around: range, view: _View) -> deque[FloatArray]:
    """What the network sees of the frames that lead to the part without a gap."""
    seen: deque[FloatArray] = deque()
    for frame in film.salvage(around.start, part.first):
        if frame is None:
            seen.clear()
        else:
            seen.append(view.seen(frame))
    return seen


def _in_turn(
    before: deque[FloatArray], film: Film, part: Part, around: range, view: _View
) -> Iterator[FloatArray]:
    """What the network sees before, in and after the part, up to the first gap after it."""
    while before:
        yield before.popleft()
    for frame in film.frames(part.first, part.last):
        yield view.seen(frame)
    for after in film.salvage(part.last, around.stop):
        if after is None:
            return
        yield view.seen(after)


def _inferred(
    lumas: Iterator[FloatArray], colorizer: Colorizer
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Each small luma with its mask, in batches."""
    size = min(_BATCH, colorizer.contract.max_batch or _BATCH)
    while batch := list(islice(lumas, size)):
        yield from zip(batch, masks_of(batch, colorizer), strict=True)
