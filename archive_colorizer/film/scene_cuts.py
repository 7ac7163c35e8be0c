"""Find cuts with PySceneDetect."""

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
"""Factor by which the change at a cut must exceed the changes around it."""
_LEAST: Final = 12.0
"""Mean change of luma, of 255, below which nothing is a cut."""
_BLACK: Final = 8
"""Mean luma, of 255, below which a film has faded to black."""
_FLASH: Final = 6
"""Frames of a flash at most; after it, the picture is the same as before."""
_ALIKE: Final = 0.4
"""Share of a flash's change that the pictures around it may differ by."""
_RATE: Final = 24.0
"""PySceneDetect needs a rate; any will do, since all lengths here are in frames."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The first frame of a shot; change: mean difference of luma to the one before, 0..255."""

    frame: int
    change: float


def find_cuts(
    film: Film,
    first: int = 0,
    last: int | None = None,
    progress: Callable[[int], None] = lambda _frames: None,
) -> tuple[Cut, ...]:
    """Find the cuts after frame `first` and before `last`, in order.

    A cut must stand out from the changes around it, so that a fast pan or the flicker of a
    print is not one.  A fade through black is cut in its darkest middle; a flash is not cut.  A
    frame that cannot be decoded counts as equal to the one before it.  Raises DependencyError
    without PySceneDetect, and SourceError.
    """
    detectors, clock = _create_detectors()
    frames: set[int] = set()
    changes: list[float] = []
    flashes = _Flashes()
    at = first
    for at, picture in enumerate(_iterate_pictures(film, first, last), first):
        changes.append(flashes.add(picture))
        now = clock(at)
        bgr = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
        for detector in detectors:
            frames |= {cut.frame_num for cut in detector.process_frame(now, bgr)}
        flashes.find(at, changes)
        progress(at + 1 - first)
    for detector in detectors:
        frames |= {cut.frame_num for cut in detector.post_process(clock(at))}
    real = sorted(cut for cut in frames - flashes.frames if first < cut)
    return tuple(Cut(cut, changes[cut - first]) for cut in real)


class _Flashes:
    """Find the frames at which a flash begins or ends."""

    def __init__(self) -> None:
        self.frames: set[int] = set()
        self._recent: deque[Picture] = deque(maxlen=_FLASH + 2)

    def add(self, picture: Picture) -> float:
        """Add the next picture; returns its difference from the one before."""
        self._recent.append(picture)
        return _measure_change(self._recent[-2], picture) if len(self._recent) > 1 else 0.0

    def find(self, at: int, changes: list[float]) -> None:
        """Find a flash that ends with frame `at`, which was the last one added."""
        latest = changes[-1]
        if latest < _LEAST:
            return
        for length in range(1, len(self._recent) - 1):
            began = changes[-1 - length]
            before = self._recent[-2 - length]
            limit = _ALIKE * min(began, latest)
            if began >= _LEAST and _measure_change(before, self._recent[-1]) < limit:
                self.frames |= {at - length, at}


def _measure_change(before: Picture, after: Picture) -> float:
    return float(cv2.absdiff(before, after).mean())


def _iterate_pictures(film: Film, first: int, last: int | None) -> Iterator[Picture]:
    """Yield the small luma of each frame, 0..255."""
    facts = film.facts
    height, width = fit_within(facts.height, facts.width, _SIDE)
    picture = np.zeros((height, width), dtype=np.uint8)
    for frame in film.rescue_frames(first, last):
        if frame is not None:
            picture = _shrink_luma(frame.luma, facts.codes, (width, height))
        yield picture


def _shrink_luma(luma: Plane, codes: Codes, size: tuple[int, int]) -> Picture:
    small: Any = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
    return np.rint(np.clip(codes.normalize_luma(small), 0, 1) * 255).astype(np.uint8)


def _create_detectors() -> tuple[tuple[Any, ...], Callable[[int], Any]]:
    """Create detectors, and a function that converts frame numbers to their time codes."""
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
