"""Open a film of any kind."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from archive_colorizer.errors import SourceError, UsageError
from archive_colorizer.video.film import Film, FilmFacts
from archive_colorizer.video.reader import open_video
from archive_colorizer.video.sequence.numbering import is_pattern
from archive_colorizer.video.sequence.reader import open_sequence


@dataclass(frozen=True, slots=True)
class FilmOptions:
    """How to open a film.

    rate: frames a second of a sequence; 24 when None.  with_gaps: numbers may be missing.
    threads: for decoding.
    """

    rate: Fraction | None = None
    with_gaps: bool = False
    threads: int = 1


def open_film(
    path: Path, options: FilmOptions = FilmOptions(), known_facts: FilmFacts | None = None
) -> Film:
    """Open a video file, a folder of numbered pictures, or a pattern such as shot.####.dpx.

    known_facts: from an earlier call; they spare another scan.
    Raises SourceError, UsageError for the rate of a video, DependencyError without PyAV.
    """
    if path.is_dir() or is_pattern(path):
        return open_sequence(path, options.rate, known_facts, options.with_gaps)
    if not path.exists():
        raise SourceError(f"{path} does not exist; check the path")
    if options.rate is not None:
        raise UsageError(f"{path.name} is a video with a rate of its own; leave the rate out")
    return open_video(path, known_facts, options.threads)
