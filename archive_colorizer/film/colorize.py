"""Colorize one part of a shot, on a worker.

The part is read twice, so that memory does not grow with the film: first for the masks of its
frames and of those around it, at the network's size, then at full size to apply them.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np

from archive_colorizer.color.blend import blend_coded
from archive_colorizer.color.resample import enlarge, shrink
from archive_colorizer.color.space import FloatArray, get_white
from archive_colorizer.color.temporal import FilmFrameMask, Mask, add_neighbors, smooth_masks
from archive_colorizer.model.contract import InputContract
from archive_colorizer.model.ensemble import Ensemble, NetworkLumas
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import ShotPart
from archive_colorizer.restore.colorize import correct_mask
from archive_colorizer.video.film import ColorFrame, Film, Layout, LumaFrame

_BATCH: Final = 8
"""Frames of a batch at most, if the network's contract allows that."""


def restore_part(
    film: Film,
    part: ShotPart,
    ensemble: Ensemble,
    recipe: Recipe,
    smoothing: float,
    layout: Layout,
) -> Iterator[ColorFrame]:
    """Yield the frames of a part in color, in order, with the film's luma at the layout's depth.

    smoothing: 0 (each frame by itself) to 1.  Raises DamagedPicture for a frame of the part that
    cannot be decoded (one around it only ends the smoothing), and ModelOutputError for NaN.
    """
    view = _PartView(film, part, ensemble.inputs)
    masks = _infer_masks(view, ensemble, smoothing)
    for frame, mask in zip(film.read_frames(part.first, part.last), masks, strict=True):
        stored = view.rotate_back(mask.astype(np.float32))
        small = view.rotate_back(view.prepare_input(frame, ensemble.inputs[0]))
        field = correct_mask(stored, small, recipe)
        luma = layout.convert_luma(frame.luma, film.facts.codes)
        cb, cr = blend_coded(luma, field, layout.codes, layout.steps)
        yield ColorFrame(frame.index, frame.pts, luma, cb, cr)


@dataclass(frozen=True, slots=True)
class _PartView:
    """Prepare the frames in and around a part for networks: upright, and with square pixels."""

    film: Film
    part: ShotPart
    inputs: tuple[InputContract, ...]

    def prepare_inputs(self, frame: LumaFrame) -> NetworkLumas:
        return tuple(self.prepare_input(frame, network_input) for network_input in self.inputs)

    def prepare_input(self, frame: LumaFrame, network_input: InputContract) -> FloatArray:
        """Return luma at a network's size, 0..1."""
        height, width = frame.luma.shape
        turns = self.film.facts.rotation // 90
        shown = (height, max(1, round(width * self.film.facts.pixel_aspect)))
        size = network_input.compute_working_size(*shown[:: -1 if turns % 2 else 1])
        small = shrink(frame.luma, *size[:: -1 if turns % 2 else 1])
        codes = self.film.facts.codes
        exact = small * np.float32(get_white(frame.luma)) - np.float32(codes.black)
        unit = np.clip(exact / np.float32(codes.white - codes.black), 0, 1)
        # np.rot90 turns counterclockwise; the film's rotation is clockwise.
        return np.ascontiguousarray(np.rot90(unit, -turns), dtype=np.float32)

    def rotate_back(self, upright: FloatArray) -> FloatArray:
        """Rotate a plane or a mask as the frames are stored."""
        return np.ascontiguousarray(np.rot90(upright, self.film.facts.rotation // 90))

    def collect_before(self, around: range) -> deque[NetworkLumas]:
        """Prepare the frames that lead to the part without a gap."""
        views: deque[NetworkLumas] = deque()
        for frame in self.film.rescue_frames(around.start, self.part.first):
            if frame is None:
                views.clear()
            else:
                views.append(self.prepare_inputs(frame))
        return views

    def iterate_inputs(self, before: deque[NetworkLumas], around: range) -> Iterator[NetworkLumas]:
        """Yield the frames before, in and after the part, up to the first gap after it."""
        while before:
            yield before.popleft()
        for frame in self.film.read_frames(self.part.first, self.part.last):
            yield self.prepare_inputs(frame)
        for after in self.film.rescue_frames(self.part.last, around.stop):
            if after is None:
                return
            yield self.prepare_inputs(after)


def _infer_masks(view: _PartView, ensemble: Ensemble, smoothing: float) -> Iterator[Mask]:
    """Infer the masks of a part's frames, upright."""
    part = view.part
    if smoothing == 0:
        alone = map(view.prepare_inputs, view.film.read_frames(part.first, part.last))
        return (mask for _, mask in _infer_batches(alone, ensemble))
    around = add_neighbors(part.first, part.last, range(part.shot.first, part.shot.last), smoothing)
    before = view.collect_before(around)
    skipped = len(before)
    sights = view.iterate_inputs(before, around)
    glimpses = [
        FilmFrameMask.prepare(mask.astype(np.float16), enlarge(sight[0], *mask.shape[:2]))
        for sight, mask in _infer_batches(sights, ensemble)
    ]
    return islice(smooth_masks(glimpses, smoothing), skipped, skipped + part.frames)


def _infer_batches(
    sights: Iterator[NetworkLumas], ensemble: Ensemble
) -> Iterator[tuple[NetworkLumas, FloatArray]]:
    """Yield each frame's input with its mask, in batches."""
    while batch := list(islice(sights, ensemble.limit_batch(_BATCH))):
        yield from zip(batch, ensemble.infer_masks(batch), strict=True)
