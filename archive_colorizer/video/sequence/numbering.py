"""The numbered files of a frame sequence, in the order of their numbers."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from archive_colorizer.errors import SourceError
from archive_colorizer.image.formats import EXTENSIONS

_EXTENSIONS: Final = frozenset((".dpx", *(one for known in EXTENSIONS.values() for one in known)))
_NUMBERED: Final = re.compile(r"(?P<head>.*?)(?P<number>\d+)(?P<tail>\D*)", re.DOTALL)
_PLACE: Final = re.compile(r"%0?\d*d|#+")
_SAID: Final = 5


@dataclass(frozen=True, slots=True)
class NumberedFile:
    """A file of a sequence and its number."""

    number: int
    path: Path


def is_pattern(path: Path) -> bool:
    """Whether a path names a sequence by a place for numbers: shot.%04d.dpx or shot.####.dpx."""
    return bool(_PLACE.search(path.name)) and not path.exists()


def numbered_files(path: Path) -> tuple[NumberedFile, ...]:
    """The sequence in the folder `path`, or that of a pattern, sorted by number.

    Any count of digits will do; the number of a name is its last.  Raises SourceError, which
    names the files, where there are none, where names have no number, where the folder holds
    several sequences, and where a number comes twice; see `gaps_in` for missing ones.
    """
    folder = path.parent if is_pattern(path) else path
    try:
        names = sorted(one.name for one in os.scandir(folder) if one.is_file())
    except OSError as error:
        raise SourceError(f"{folder} cannot be read: {error.strerror}; check the path") from None
    if folder is not path:
        found = _of_pattern(path.name, names)
    else:
        found = _of_folder(path, [one for one in names if _is_picture(one)])
    if not found:
        raise SourceError(f"{path} holds no numbered pictures")
    found.sort()
    for (before, first), (after, second) in pairwise(found):
        if before == after:
            raise SourceError(f"{path}: {first} and {second} have the same number; keep one")
    return tuple(NumberedFile(number, folder / name) for number, name in found)


def _is_picture(name: str) -> bool:
    return Path(name).suffix.lower() in _EXTENSIONS and not name.startswith(".")


def _of_pattern(pattern: str, names: list[str]) -> list[tuple[int, str]]:
    place = _PLACE.search(pattern)
    if place is None:
        return []
    head, tail = re.escape(pattern[: place.start()]), re.escape(pattern[place.end() :])
    known = [(re.fullmatch(rf"{head}(\d+){tail}", name), name) for name in names]
    return [(int(match[1]), name) for match, name in known if match]


def _of_folder(path: Path, names: list[str]) -> list[tuple[int, str]]:
    sequences: dict[tuple[str, str, str], list[tuple[int, str]]] = {}
    for name in names:
        stem, extension = os.path.splitext(name)  # noqa: PTH122 (a name, not a path)
        match = _NUMBERED.fullmatch(stem)
        if match is None:
            raise SourceError(f"{path / name} has no number in its name; move it away or number it")
        kind = (match["head"], match["tail"], extension.lower())
        sequences.setdefault(kind, []).append((int(match["number"]), name))
    if len(sequences) > 1:
        patterns = sorted(f"{head}#{tail}{extension}" for head, tail, extension in sequences)
        more = " and more" if len(patterns) > _SAID else ""
        raise SourceError(
            f"{path} holds several sequences ({', '.join(patterns[:_SAID])}{more}); "
            "name one of them by such a pattern"
        )
    return next(iter(sequences.values()), [])


def gaps_in(files: Sequence[NumberedFile]) -> str:
    """The numbers that are missing in a sequence, in words; empty when none is."""
    pairs = pairwise(one.number for one in files)
    gaps = [_run(one + 1, other - 1) for one, other in pairs if other > one + 1]
    more = f" and {len(gaps) - _SAID} more gaps" if len(gaps) > _SAID else ""
    return ", ".join(gaps[:_SAID]) + more


def _run(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} to {last}"
