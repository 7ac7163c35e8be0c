"""Compare the luma of every frame of a finished film with its source."""

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Final

import cv2

from archive_colorizer.film.plan import SEGMENTS, name_cut_list
from archive_colorizer.records.outcomes import Outcome
from archive_colorizer.storage.fixity import CHECKSUM_LIST
from archive_colorizer.verification.files import Finding, find_source
from archive_colorizer.video.film import Film, Layout, LumaFrame
from archive_colorizer.video.reader import FilmOptions, open_film
from archive_colorizer.video.sequence.source import find_film, hash_film

_LOSSY: Final = frozenset(("h264", "hevc", "prores"))
"""Codecs of results that keep luma only roughly."""

_LOSSY_TOLERANCE: Final = 3.0
"""Largest mean difference over a frame in a lossy codec, in codes of 8 bits."""

_TIME_TOLERANCE: Final = Fraction(1, 100_000)
"""Seconds; the finest times that MKV is written with (see video/matroska.py)."""

_WITH_GAPS: Final = FilmOptions(with_gaps=True)


@dataclass(frozen=True, slots=True)
class FilmDifference:
    """The difference between the luma of a film and of its source.

    frames: that were compared.  greatest: difference of a pixel, in codes of the result's depth.
    lost: frames of the source that cannot be decoded.  fault: the first fault, in words.
    """

    is_lossy: bool
    frames: int = 0
    greatest: int = 0
    lost: int = 0
    fault: str = ""


def is_film(outcome: Outcome) -> bool:
    """Whether an outcome is of a whole film, not of its cut list or of a part."""
    target = outcome.target or ""
    is_piece = target.startswith(f"{SEGMENTS}/") or target.endswith(name_cut_list(""))
    return outcome.frames is not None and bool(target) and not is_piece


def check_film(
    outcome: Outcome, output: Path, roots: tuple[tuple[str, ...], ...]
) -> FilmDifference | Finding:
    """Compare a film of `output`, frame by frame, with its source; a Finding without a source.

    roots: of the runs; each is a film, or a folder that films were moved to.  Raises
    ArchiveColorizerError when one of the two cannot be read.
    """
    paths = (
        root if root.name == outcome.name else root / outcome.name
        for root in map(Path, chain.from_iterable(roots))
    )
    source = find_source(outcome, paths, lambda path: (path, hash_film(find_film(path))))
    if isinstance(source, Finding):
        return source
    target = output / str(outcome.target)
    result = target.with_suffix("") if target.suffix == CHECKSUM_LIST else target
    first = outcome.first or 0
    with open_film(source, _WITH_GAPS) as before, open_film(result, _WITH_GAPS) as after:
        source_facts, result_facts = before.facts, after.facts
        difference = FilmDifference(is_lossy=result_facts.codec in _LOSSY)
        if (
            result_facts.frames != outcome.frames
            or first + result_facts.frames > source_facts.frames
        ):
            restored = f"{outcome.frames} of {source_facts.frames} were restored"
            return replace(difference, fault=f"has {result_facts.frames} frames; {restored}")
        if result_facts.kind == "video":
            start = source_facts.get_seconds(first)
            for number in range(result_facts.frames):
                expected = source_facts.get_seconds(first + number) - start
                if abs(result_facts.get_seconds(number) - expected) > _TIME_TOLERANCE:
                    fault = f"frame {number} is not shown when its source's is"
                    return replace(difference, fault=fault)
        return _compare_luma(before, after, first, difference)


def _compare_luma(
    before: Film, after: Film, first: int, difference: FilmDifference
) -> FilmDifference:
    """Compare frames until the first fault."""
    last = first + after.facts.frames
    for source_frame, result_frame in zip(
        before.rescue_frames(first, last), after.rescue_frames(), strict=True
    ):
        number = difference.frames + difference.lost
        if result_frame is None:
            return replace(difference, fault=f"frame {number} cannot be decoded")
        if source_frame is None:
            difference = replace(difference, lost=difference.lost + 1)
            continue
        greatest, fault = _compare_frames(source_frame, result_frame, before, after)
        if fault:
            return replace(difference, fault=f"luma of frame {number} {fault}")
        difference = replace(
            difference, frames=difference.frames + 1, greatest=max(difference.greatest, greatest)
        )
    return difference


def _compare_frames(
    source_frame: LumaFrame, result_frame: LumaFrame, before: Film, after: Film
) -> tuple[int, str]:
    """Return the greatest difference of two frames in codes, and its fault, if any."""
    codes = after.facts.codes
    expected = Layout(codes, "4:4:4").convert_luma(source_frame.luma, before.facts.codes)
    if (expected.shape, expected.dtype) != (result_frame.luma.shape, result_frame.luma.dtype):
        return 0, "has another size or depth"
    difference = cv2.absdiff(expected, result_frame.luma)
    greatest = int(difference.max(initial=0))
    mean = float(difference.mean()) / (1 << (codes.depth - 8))
    is_too_large = mean > _LOSSY_TOLERANCE if after.facts.codec in _LOSSY else greatest > 1
    return greatest, f"differs by up to {greatest} code values" if is_too_large else ""
