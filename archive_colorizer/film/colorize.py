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
from archive_colorizer.color.resample import shrink
from archive_colorizer.color.space import FloatArray, white_of
from archive_colorizer.color.temporal import Mask, glimpse, steady, with_surroundings
from archive_colorizer.model.color_spaces import working_size
from archive_colorizer.model.contract import InputContract
from archive_colorizer.model.ensemble import Painter, Sight, luma_for
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Part
from archive_colorizer.restore.colorize import field_of
from archive_colorizer.video.film import ColorFrame, Film, FilmFacts, Frame, Layout

_BATCH: Final = 8
"""Frames that the network sees at once, where its contract allows that."""


def restore_part(
    film: Film,
    part: Part,
    painter: Painter,
    recipe: Recipe,
    smoothing: float,
    layout: Layout,
) -> Iterator[ColorFrame]:
    """The frames of a part in color, in order; luma is the film's own in the layout's depth.

    smoothing: 0 colors each frame for itself, up to 1.  A part gives what its whole shot would
    give for these frames, but for what `color.smooth.reach` leaves out.  Raises DamagedPicture
    for a frame of the part that cannot be decoded (one beside it ends what is looked at), and
    ModelOutputError when a network gives NaN.
    """
    view = _View(film.facts, painter.inputs)
    masks = _masks(film, part, painter, smoothing, view)
    for frame, mask in zip(film.frames(part.first, part.last), masks, strict=True):
        stored = view.as_stored(mask.astype(np.float32))
        field = field_of(stored, view.as_stored(view.shown(frame, painter.inputs[0])), recipe)
        luma = layout.luma_from(frame.luma, film.facts.codes)
        cb, cr = blend_coded(luma, field, layout.codes, layout.steps)
        yield ColorFrame(frame.index, frame.pts, luma, cb, cr)


@dataclass(frozen=True, slots=True)
class _View:
    """How the network sees a film: upright, and with square pixels."""

    facts: FilmFacts
    inputs: tuple[InputContract, ...]

    def seen(self, frame: Frame) -> Sight:
        """What each network sees."""
        return tuple(self.shown(frame, given) for given in self.inputs)

    def shown(self, frame: Frame, given: InputContract) -> FloatArray:
        """Luma at a network's size, 0..1."""
        height, width = frame.luma.shape
        turns = self.facts.rotation // 90
        shown = (height, max(1, round(width * self.facts.pixel_aspect)))
        size = working_size(given, *shown[:: -1 if turns % 2 else 1])
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
    film: Film, part: Part, painter: Painter, smoothing: float, view: _View
) -> Iterator[Mask]:
    """The masks of a part's frames, upright."""
    if smoothing == 0:
        alone = map(view.seen, film.frames(part.first, part.last))
        return (mask for _, mask in _inferred(alone, painter))
    around = with_surroundings(
        part.first, part.last, range(part.shot.first, part.shot.last), smoothing
    )
    before = _before(film, part, around, view)
    skipped = len(before)
    sights = _in_turn(before, film, part, around, view)
    known = [
        glimpse(mask.astype(np.float16), luma_for(mask, sight[0]))
        for sight, mask in _inferred(sights, painter)
    ]
    return islice(steady(known, smoothing), skipped, skipped + part.frames)


def _before(film: Film, part: Part, around: range, view: _View) -> deque[Sight]:
    """What the network sees of the frames that lead to the part without a gap."""
    seen: deque[Sight] = deque()
    for frame in film.salvage(around.start, part.first):
        if frame is None:
            seen.clear()
        else:
            seen.append(view.seen(frame))
    return seen


def _in_turn(
    before: deque[Sight], film: Film, part: Part, around: range, view: _View
) -> Iterator[Sight]:
    """What the network sees before, in and after the part, up to the first gap after it."""
    while before:
        yield before.popleft()
    for frame in film.frames(part.first, part.last):
        yield view.seen(frame)
    for after in film.salvage(part.last, around.stop):
        if after is None:
            return
        yield view.seen(after)


def _inferred(sights: Iterator[Sight], painter: Painter) -> Iterator[tuple[Sight, FloatArray]]:
    """Each sight with its mask, in batches."""
    while batch := list(islice(sights, painter.batch(_BATCH))):
        yield from zip(batch, painter.masks(batch), strict=True)
