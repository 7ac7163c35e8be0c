"""Is every frame of a finished film its source's, but for color?"""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Final

import cv2

from archive_colorizer.errors import ArchiveColorizerError
from archive_colorizer.film.plan import SEGMENTS, list_name
from archive_colorizer.records.outcomes import Outcome
from archive_colorizer.storage.fixity import LIST
from archive_colorizer.verification.files import Finding, Kind
from archive_colorizer.video.film import Film, Frame, Layout
from archive_colorizer.video.open import Viewing, open_film
from archive_colorizer.video.sequence.source import digest_of_film, find_film

_LOSSY: Final = frozenset(("h264", "hevc", "prores"))
"""Codecs of results that keep luma roughly only."""

_ROUGHLY: Final = 3.0
"""Codes of 8 bits, mean over a frame, by which a lossy codec may differ."""

_TICK: Final = Fraction(1, 100_000)
"""Seconds; the finest times that MKV is given (see media/matroska.py)."""

_VIEWING: Final = Viewing(with_gaps=True)


@dataclass(frozen=True, slots=True)
class FilmLikeness:
    """How like the luma of a film is to that of its source.

    frames: that were compared.  greatest: difference of a pixel, in codes of the result's depth.
    lost: frames of the source that cannot be decoded, so that nothing is there to compare with.
    wrong: the first thing that is amiss, in words.
    """

    is_lossy: bool
    frames: int = 0
    greatest: int = 0
    lost: int = 0
    wrong: str = ""


def is_film(outcome: Outcome) -> bool:
    """Whether an outcome is of a whole film, not of its cut list or of a part."""
    target = outcome.target or ""
    is_piece = target.startswith(f"{SEGMENTS}/") or target.endswith(list_name(""))
    return outcome.frames is not None and bool(target) and not is_piece


def check_film(
    outcome: Outcome, output: Path, roots: tuple[tuple[str, ...], ...]
) -> FilmLikeness | Finding:
    """Compare a film of `output`, frame by frame, with its source; a Finding if that is not there.

    roots: of the runs; each is a film, or a folder that films were moved to.  Raises
    ArchiveColorizerError when one of the two cannot be read.
    """
    source = _find_source(outcome, roots)
    if isinstance(source, Finding):
        return source
    target = output / str(outcome.target)
    result = target.with_suffix("") if target.suffix == LIST else target
    first = outcome.first or 0
    with open_film(source, _VIEWING) as before, open_film(result, _VIEWING) as after:
        there, here = before.facts, after.facts
        found = FilmLikeness(is_lossy=here.codec in _LOSSY)
        if here.frames != outcome.frames or first + here.frames > there.frames:
            said = f"has {here.frames} frames; {outcome.frames} of {there.frames} were restored"
            return replace(found, wrong=said)
        if here.kind == "video":
            for at in range(here.frames):
                wanted = there.seconds(first + at) - there.seconds(first)
                if abs(here.seconds(at) - wanted) > _TICK:
                    return replace(found, wrong=f"frame {at} is not shown when its source's is")
        return _compare(before, after, first, found)


def _find_source(outcome: Outcome, roots: tuple[tuple[str, ...], ...]) -> Path | Finding:
    """The film that was restored, from the first place that still holds it."""
    said, changed = "no run of the manifest says where it lay", False
    for root in (Path(one) for together in roots for one in together):
        place = root if root.name == outcome.name else root / outcome.name
        try:
            digest = digest_of_film(find_film(place))
        except ArchiveColorizerError as error:
            said = said if changed else str(error)
            continue
        if digest == outcome.source_sha256:
            return place
        said, changed = f"{place} is not what was restored", True
    kind = Kind.SOURCE_CHANGED if changed else Kind.SOURCE_MISSING
    return Finding(kind, outcome.name, said)


def _compare(before: Film, after: Film, first: int, found: FilmLikeness) -> FilmLikeness:
    """Until the first frame that is wrong."""
    last = first + after.facts.frames
    for one, other in zip(before.salvage(first, last), after.salvage(), strict=True):
        at = found.frames + found.lost
        if other is None:
            return replace(found, wrong=f"frame {at} cannot be decoded")
        if one is None:
            found = replace(found, lost=found.lost + 1)
            continue
        greatest, wrong = _apart(one, other, before, after)
        if wrong:
            return replace(found, wrong=f"luma of frame {at} {wrong}")
        found = replace(found, frames=found.frames + 1, greatest=max(found.greatest, greatest))
    return found


def _apart(one: Frame, other: Frame, before: Film, after: Film) -> tuple[int, str]:
    """The greatest difference of two frames in codes, and what is wrong with it, if anything."""
    codes = after.facts.codes
    expected = Layout(codes, "4:4:4").luma_from(one.luma, before.facts.codes)
    if (expected.shape, expected.dtype) != (other.luma.shape, other.luma.dtype):
        return 0, "has another size or depth"
    difference = cv2.absdiff(expected, other.luma)
    greatest = int(difference.max(initial=0))
    mean = float(difference.mean()) / (1 << (codes.depth - 8))
    is_wrong = mean > _ROUGHLY if after.facts.codec in _LOSSY else greatest > 1
    return greatest, f"differs by up to {greatest} code values" if is_wrong else ""
