"""Validate what a run over films is asked for, before anything is read."""

import os
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Final, Self

from archive_colorizer.errors import UsageError
from archive_colorizer.location import require_path
from archive_colorizer.pipeline.request import (
    RunRequest,
    check_distinct_names,
    check_readable,
    choose_default_output,
)
from archive_colorizer.recipe.film_shots import ShotSettings
from archive_colorizer.recipe.recipe import DEFAULTS, FilmRecipe
from archive_colorizer.storage.overlap import check_no_overlap
from archive_colorizer.video.film import FilmFacts
from archive_colorizer.video.sequence.numbering import is_pattern

_TIME: Final = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:\.\d+)?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """Select a film from `begin` to before `end`, in seconds from its first frame."""

    begin: Fraction = Fraction(0)
    end: Fraction | None = None

    @classmethod
    def parse(cls, begin: str | None, end: str | None) -> Self:
        """Parse a span from two times, each as `parse_seconds` takes it; raises UsageError."""
        first = parse_seconds(begin, "--from") if begin else Fraction(0)
        last = parse_seconds(end, "--to") if end else None
        if last is not None and last <= first:
            raise UsageError(f"--to ({end}) must be later than --from ({begin or 0})")
        return cls(first, last)

    @property
    def is_all(self) -> bool:
        return not self.begin and self.end is None

    @property
    def words(self) -> str:
        """The span as part of a job's key; empty for the whole film."""
        return "" if self.is_all else f"{self.begin} to {self.end or 'end'}"

    def select_frames(self, facts: FilmFacts) -> range:
        """Select the frames of a film in the span; raises UsageError if there is none."""
        times, time_base = facts.times, facts.time_base
        first = bisect_left(times, times[0] + self.begin / time_base)
        last = len(times)
        if self.end is not None:
            last = bisect_left(times, times[0] + self.end / time_base)
        if first >= last:
            raise UsageError(
                f"{facts.name}: no frame lies between --from and --to; its last one begins at "
                f"{format_clock((times[-1] - times[0]) * time_base)}"
            )
        return range(first, last)


ALL: Final = Span()


def parse_seconds(text: str, option: str) -> Fraction:
    """Parse seconds, mm:ss or hh:mm:ss, with or without decimals, exactly; raises UsageError."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{option} must be a time like 75.5, 1:15.5 or 0:01:15.5, not {text!r}")
    hours, minutes, seconds = match.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + Fraction(seconds)


def format_clock(seconds: Fraction) -> str:
    """Format as h:mm:ss.mmm, rounded down."""
    thousandths = int(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"


_VIDEOS = frozenset("mkv mov mp4 m4v avi mpg mpeg".split())


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmRequest(RunRequest):
    """Request the restoration of films.

    name: of the result, if the user chose one.  shots: the user's cut list.  shot_settings:
    those of the recipe for single shots.
    """

    roots: tuple[Path, ...]
    output: Path
    film: FilmRecipe
    name: str = ""
    shots: Path | None = None
    shot_settings: tuple[ShotSettings, ...] = ()
    span: Span = ALL
    keep_segments: bool = False

    def validate(self, output: Path | None) -> Self:
        """Validate the request; returns it with resolved paths.

        output: a folder or, for a single video, the file of the result; by default the folder next
        to the single input, with `-colorized` after its name.  Raises UsageError for paths that
        overlap, names that clash and settings of photographs, and SourceError for a missing film.
        """
        if self.recipe.sharpen:
            raise UsageError("films keep their luma and are not sharpened; leave sharpen out")
        for name in ("borders", "reference", "hint"):
            if getattr(self.recipe, name) != DEFAULTS[name]:
                raise UsageError(f"{name} is for photographs and not for films; leave it out")
        films = tuple(Path(os.path.realpath(film)) for film in self.roots)
        check_distinct_names(films, "films")
        if len(films) > 1 and (output is None or self.shots is not None or self.shot_settings):
            need = "an --output folder" if output is None else "no --shots, which are of one film"
            need = "no [[film.shot]], which is of one film" if self.shot_settings else need
            raise UsageError(f"several films need {need}")
        for film in films:
            if not is_pattern(film):
                check_readable(film)
        folder = Path(os.path.realpath(output or require_path(choose_default_output(films[0]))))
        name = ""
        if folder.suffix[1:].lower() in _VIDEOS and not folder.is_dir():
            folder, name = _split_output(folder, films)
        else:
            check_no_overlap(films, folder)
        return replace(self, roots=films, output=folder, name=name)


def _split_output(output: Path, films: Sequence[Path]) -> tuple[Path, str]:
    """Split an --output that names a file into folder and name."""
    if len(films) > 1:
        raise UsageError(f"several films do not fit into the one file {output}; name a folder")
    if films[0].is_dir() or is_pattern(films[0]):
        raise UsageError(f"numbered frames give numbered frames; name a folder, not {output}")
    if output == films[0] or (output.exists() and output.samefile(films[0])):
        raise UsageError(f"the output {output} is the film itself; choose another --output")
    return output.parent, output.name
