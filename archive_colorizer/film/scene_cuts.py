"""The door to PySceneDetect: where one shot ends and the next begins."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from archive_colorizer.color.resample import fit_within
from archive_colorizer.color.space import Plane
from archive_colorizer.errors import DependencyError
from archive_colorizer.video.film import Codes, Film

Picture = npt.NDArray[np.uint8]

_SIDE: Final = 160
"""Pixels of the longest side of the pictures that are compared."""
_RATIO: Final = 3.0
"""How many times the change between two frames must exceed the changes around it."""
_LEAST: Final = 12.0
"""Mean change of luma, of 255, below which nothing is a cut."""
_BLACK: Final = 8
"""Mean luma, of 255, below which a film has faded to black."""
_FLASH: Final = 6
"""Frames; when the picture after a cut this short ago is that before it, it was a flash."""
_ALIKE: Final = 0.4
"""Share of a flash's change that the pictures around it may differ by."""
_RATE: Final = 24.0
"""PySceneDetect asks for a rate; all lengths here are in frames, so any does."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The frame with which a new shot begins, and by how much it differs from the one before.

    change: mean difference of luma, 0..255.
    """

    frame: int
    change: float


def see_nothing(_frames: int) -> None:
    """For whom nobody waits."""


def find_cuts(
    film: Film,
    first: int = 0,
    last: int | None = None,
    seen: Callable[[int], None] = see_nothing,
) -> tuple[Cut, ...]:
    """The cuts after frame `first` and before `last`, in order; one frame in memory at a time.

    Adaptive detection: a cut stands out from the changes around it, so neither a fast pan nor
    the flicker of a print is taken for one.  A fade through black is cut in its darkest middle;
    a flash is no cut.  A frame that cannot be decoded counts as equal to the one before it.
    seen: is told after each frame how many were looked at.
    Raises DependencyError without PySceneDetect, and SourceError when the film cannot be read.
    """
    detectors, clock = _detectors()
    found: set[int] = set()
    changes: list[float] = []
    lasting = _Flashes()
    at = first
    for at, picture in enumerate(_pictures(film, first, last), first):
        changes.append(lasting.change(picture))
        now = clock(at)
        wide = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
        for detector in detectors:
            found |= {cut.frame_num for cut in detector.process_frame(now, wide)}
        lasting.settle(at, changes)
        seen(at + 1 - first)
    for detector in detectors:
        found |= {cut.frame_num for cut in detector.post_process(clock(at))}
    real = sorted(cut for cut in found - lasting.frames if first < cut)
    return tuple(Cut(cut, changes[cut - first]) for cut in real)


class _Flashes:
    """Frames at which a flash begins or ends: they differ, and yet nothing has changed after."""

    def __init__(self) -> None:
        self.frames: set[int] = set()
        self._seen: deque[Picture] = deque(maxlen=_FLASH + 2)

    def change(self, picture: Picture) -> float:
        """Take in the next picture; its difference from the one before."""
        self._seen.append(picture)
        return _apart(self._seen[-2], picture) if len(self._seen) > 1 else 0.0

    def settle(self, at: int, changes: list[float]) -> None:
        """Look back from frame `at`, whose picture and change were taken in."""
        latest = changes[-1]
        if latest < _LEAST:
            return
        for length in range(1, len(self._seen) - 1):
            began = changes[-1 - length]
            before = self._seen[-2 - length]
            if began >= _LEAST and _apart(before, self._seen[-1]) < _ALIKE * min(began, latest):
                self.frames |= {at - length, at}


def _apart(one: Picture, other: Picture) -> float:
    return float(cv2.absdiff(one, other).mean())


def _pictures(film: Film, first: int, last: int | None) -> Iterator[Picture]:
    """Small luma of each frame, 0..255."""
    facts = film.facts
    height, width = fit_within(facts.height, facts.width, _SIDE)
    before = np.zeros((height, width), dtype=np.uint8)
    for frame in film.salvage(first, last):
        if frame is not None:
            before = _small(frame.luma, facts.codes, (width, height))
        yield before


def _small(luma: Plane, codes: Codes, size: tuple[int, int]) -> Picture:
    small: Any = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
    return np.rint(np.clip(codes.unit_luma(small), 0, 1) * 255).astype(np.uint8)


def _detectors() -> tuple[tuple[Any, ...], Callable[[int], Any]]:
    """Detectors, and what makes of a frame number the time that they ask for."""
    try:
        from scenedetect import FrameTimecode
        from scenedetect.detectors import AdaptiveDetector, ThresholdDetector
    except ImportError:
        raise DependencyError(
            "finding cuts needs PySceneDetect, which is not installed; "
            "run pip install 'archive-colorizer[film]'"
        ) from None
    detectors = (
        AdaptiveDetector(
            adaptive_threshold=_RATIO, min_scene_len=1, min_content_val=_LEAST, luma_only=True
        ),
        ThresholdDetector(threshold=_BLACK, min_scene_len=1),
    )
    return detectors, lambda at: FrameTimecode(at, _RATE)
