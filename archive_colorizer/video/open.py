"""The table of film readers."""

import json
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Protocol

from archive_colorizer.errors import SourceError, UsageError
from archive_colorizer.video.film import Codes, ColorTags, Film, FilmFacts
from archive_colorizer.video.reader import open_video
from archive_colorizer.video.sequence.numbering import is_pattern
from archive_colorizer.video.sequence.reader import open_sequence


def facts_as_text(facts: FilmFacts) -> str:
    """JSON of all that the facts say; fractions as "24000/1001"."""
    return json.dumps(asdict(facts), default=str)


def facts_from_text(text: str) -> FilmFacts:
    """The facts that `facts_as_text` wrote.  Raises ValueError for any other text."""
    try:
        told: dict[str, Any] = json.loads(text)
        told |= {key: Fraction(told[key]) for key in ("rate", "time_base", "pixel_aspect")}
        told |= {key: tuple(told[key]) for key in ("times", "keys", "besides", "warnings")}
        told |= {"codes": Codes(**told["codes"]), "tags": ColorTags(**told["tags"])}
        return FilmFacts(**{one.name: told[one.name] for one in fields(FilmFacts)})
    except (KeyError, TypeError, AttributeError, ZeroDivisionError) as error:
        raise ValueError(f"these are no facts of a film ({error!r})") from None


VIDEOS: Final = frozenset(
    ".mp4 .m4v .mov .qt .mkv .webm .avi .mpg .mpeg .vob .ts .m2ts .mts .mxf .dv .nut .wmv .asf "
    ".ogv .flv .3gp".split()
)
"""Extensions by which a folder's video files are known; a file that is named may have others."""


@dataclass(frozen=True, slots=True)
class Viewing:
    """How to look at a film.

    rate: frames a second of a sequence; 24 when None.  with_gaps: its numbers may have gaps.
    threads: for decoding.
    """

    rate: Fraction | None = None
    with_gaps: bool = False
    threads: int = 1


class Reader(Protocol):
    """Opens one kind of film; raises SourceError."""

    def __call__(self, path: Path, known: FilmFacts | None, how: Viewing) -> Film: ...


def _sequence(path: Path, known: FilmFacts | None, how: Viewing) -> Film:
    return open_sequence(path, how.rate, known, how.with_gaps)


def _video(path: Path, known: FilmFacts | None, how: Viewing) -> Film:
    if how.rate is not None:
        raise UsageError(f"{path.name} is a video with a rate of its own; leave the rate out")
    return open_video(path, known, how.threads)


READERS: Final[dict[str, Reader]] = {"sequence": _sequence, "video": _video}
"""By FilmFacts.kind."""


def open_film(path: Path, how: Viewing = Viewing(), known: FilmFacts | None = None) -> Film:
    """Open a video file, a folder of numbered pictures, or a pattern such as shot.####.dpx.

    known: the facts of this same film as told before, so that it is not looked through again.
    Raises SourceError, UsageError for the rate of a video, DependencyError without PyAV.
    """
    if not path.exists() and not is_pattern(path):
        raise SourceError(f"{path} does not exist; check the path")
    kind = "sequence" if path.is_dir() or is_pattern(path) else "video"
    return READERS[kind](path, known, how)
