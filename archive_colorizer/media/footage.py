"""The table of film readers."""

from fractions import Fraction
from pathlib import Path
from typing import Final, Protocol

from archive_colorizer.errors import SourceError, UsageError
from archive_colorizer.media.film import Film, FilmFacts
from archive_colorizer.media.frame_names import is_pattern
from archive_colorizer.media.frames import open_sequence
from archive_colorizer.media.video_reader import open_video

VIDEOS: Final = frozenset(
    ".mp4 .m4v .mov .qt .mkv .webm .avi .mpg .mpeg .vob .ts .m2ts .mts .mxf .dv .nut .wmv .asf "
    ".ogv .flv .3gp".split()
)
"""Extensions by which a folder's video files are known; a file that is named may have others."""


class Reader(Protocol):
    """Opens one kind of film; raises SourceError."""

    def __call__(
        self, path: Path, rate: Fraction | None, known: FilmFacts | None, threads: int
    ) -> Film: ...


def _sequence(path: Path, rate: Fraction | None, known: FilmFacts | None, threads: int) -> Film:
    return open_sequence(path, rate, known)


def _video(path: Path, rate: Fraction | None, known: FilmFacts | None, threads: int) -> Film:
    if rate is not None:
        raise UsageError(f"{path.name} is a video with a rate of its own; leave the rate out")
    return open_video(path, known, threads)


READERS: Final[dict[str, Reader]] = {"sequence": _sequence, "video": _video}
"""By FilmFacts.kind."""


def open_film(
    path: Path,
    rate: Fraction | None = None,
    known: FilmFacts | None = None,
    threads: int = 1,
) -> Film:
    """Open a video file, a folder of numbered pictures, or a pattern such as shot.####.dpx.

    rate: frames a second of a sequence; 24 when None.  known: the facts of this same film as
    told before, so that it is not looked through again.  threads: for decoding.
    Raises SourceError, UsageError for the rate of a video, DependencyError without PyAV.
    """
    if not path.exists() and not is_pattern(path):
        raise SourceError(f"{path} does not exist; check the path")
    kind = "sequence" if path.is_dir() or is_pattern(path) else "video"
    return READERS[kind](path, rate, known, threads)
