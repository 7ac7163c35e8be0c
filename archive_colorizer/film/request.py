"""What is asked for of films: which, where to and how, checked before anything is read."""

import os
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Final

from archive_colorizer.errors import SourceError, UsageError
from archive_colorizer.recipe.film_shots import ShotSettings
from archive_colorizer.recipe.recipe import DEFAULTS, FilmRecipe, Recipe
from archive_colorizer.storage.overlap import check_apart
from archive_colorizer.video.sequence.numbering import is_pattern

_TIME: Final = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:\.\d+)?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """From `begin` to before `end` in seconds from the first frame; no end is the film's."""

    begin: Fraction = Fraction(0)
    end: Fraction | None = None

    @property
    def is_all(self) -> bool:
        return not self.begin and self.end is None

    @property
    def words(self) -> str:
        """As it goes into keys; empty for the whole film."""
        return "" if self.is_all else f"{self.begin} to {self.end or 'end'}"

    def frames(self, times: Sequence[int], time_base: Fraction, name: str) -> tuple[int, int]:
        """The first frame in the span and the one after its last.

        times: when each frame is shown, in units of time_base.  Raises UsageError, which
        names the film, when no frame is in it.
        """
        first = bisect_left(times, times[0] + self.begin / time_base)
        last = len(times)
        if self.end is not None:
            last = bisect_left(times, times[0] + self.end / time_base)
        if first >= last:
            raise UsageError(
                f"{name}: no frame lies between --from and --to; its last one begins at "
                f"{clock((times[-1] - times[0]) * time_base)}"
            )
        return first, last


ALL: Final = Span()


def span_of(begin: str | None, end: str | None) -> Span:
    """A span from two times, each as `seconds_of` takes it; raises UsageError."""
    first = seconds_of(begin, "--from") if begin else Fraction(0)
    last = seconds_of(end, "--to") if end else None
    if last is not None and last <= first:
        raise UsageError(f"--to ({end}) must be later than --from ({begin or 0})")
    return Span(first, last)


def seconds_of(text: str, option: str) -> Fraction:
    """Seconds, mm:ss or hh:mm:ss, each with decimals if need be, exact.

    Raises UsageError that names the option.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{option} must be a time like 75.5, 1:15.5 or 0:01:15.5, not {text!r}")
    hours, minutes, seconds = match.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + Fraction(seconds)


def clock(seconds: Fraction) -> str:
    """As h:mm:ss.mmm, rounded down."""
    thousandths = int(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"


_VIDEOS = frozenset("mkv mov mp4 m4v avi mpg mpeg".split())


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmOrder:
    """Which films are to be restored, where to, and how.

    name: of the result, where one was asked for.  shots: a person's own cut list.  own: what the
    recipe says of single shots.  span: the stretch of time that is restored.  command: the words
    of the command line.
    """

    films: tuple[Path, ...]
    output: Path
    recipe: Recipe
    film: FilmRecipe
    name: str = ""
    shots: Path | None = None
    own: tuple[ShotSettings, ...] = ()
    span: Span = ALL
    keep_segments: bool = False
    retry_failed: bool = False
    command: tuple[str, ...] = ()


def place_film_order(order: FilmOrder, output: Path | None) -> FilmOrder:
    """The order with its paths checked, before anything is read.

    The output is a folder or, for a single video, the file that the result shall be; by
    default the folder beside the single input, with `-colorized` after its name.  Raises
    UsageError for paths that overlap, names that clash and settings that only photographs have,
    SourceError for a missing film.
    """
    if order.recipe.sharpen:
        raise UsageError("films keep their luma and are not sharpened; leave sharpen out")
    for name in ("borders", "reference", "hint"):
        if getattr(order.recipe, name) != DEFAULTS[name]:
            raise UsageError(f"{name} is for photographs and not for films; leave it out")
    films = tuple(Path(os.path.realpath(film)) for film in order.films)
    if len({film.name for film in films}) < len(films):
        raise UsageError("two of the films have the same name; restore them one by one")
    if len(films) > 1 and (output is None or order.shots is not None or order.own):
        said = "an --output folder" if output is None else "no --shots, which are of one film"
        said = "no [[film.shot]], which is of one film" if order.own else said
        raise UsageError(f"several films need {said}")
    for film in films:
        if not (os.access(film, os.R_OK) or is_pattern(film)):
            said = "cannot be read" if film.exists() else "there is no such file or directory"
            raise SourceError(f"{film}: {said}")
    if output is None:
        name = films[0].name if films[0].is_dir() else films[0].stem
        output = films[0].with_name(f"{name}-colorized")
    place = Path(os.path.realpath(output))
    name = ""
    if _is_video_name(place):
        place, name = _as_file(place, films)
    else:
        check_apart(films, place)
    return replace(order, films=films, output=place, name=name)


def _is_video_name(output: Path) -> bool:
    return output.suffix[1:].lower() in _VIDEOS and not output.is_dir()


def _as_file(output: Path, films: Sequence[Path]) -> tuple[Path, str]:
    """The output folder and the name of the result, for an --output that names a file."""
    if len(films) > 1:
        raise UsageError(f"several films do not fit into the one file {output}; name a folder")
    if films[0].is_dir() or is_pattern(films[0]):
        raise UsageError(f"numbered frames give numbered frames; name a folder, not {output}")
    if output == films[0] or (output.exists() and output.samefile(films[0])):
        raise UsageError(f"the output {output} is the film itself; choose another --output")
    return output.parent, output.name
