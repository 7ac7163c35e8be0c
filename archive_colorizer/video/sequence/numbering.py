"""List the numbered files of a frame sequence in the order of their numbers."""

import os
import re
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from typing import Final

from archive_colorizer.errors import SourceError
from archive_colorizer.image.formats import EXTENSIONS

_EXTENSIONS: Final = frozenset((".dpx", *chain.from_iterable(EXTENSIONS.values())))
_NUMBERED: Final = re.compile(r"(?P<head>.*?)(?P<number>\d+)(?P<tail>\D*)", re.DOTALL)
_NUMBER_FIELD: Final = re.compile(r"%0?\d*d|#+")
_MAX_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class NumberedFile:
    """A file of a sequence and its number."""

    number: int
    path: Path


def is_pattern(path: Path) -> bool:
    """Whether a path is a pattern of a sequence, such as shot.%04d.dpx or shot.####.dpx."""
    return bool(_NUMBER_FIELD.search(path.name)) and not path.exists()


def list_numbered_files(path: Path) -> tuple[NumberedFile, ...]:
    """List the sequence of the folder or pattern `path`, sorted by number.

    The number of a name is its last, with any count of digits.  Raises SourceError for a folder
    that holds no picture, a name without a number, several sequences, or a number twice.
    """
    folder = path.parent if is_pattern(path) else path
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    except OSError as error:
        raise SourceError(f"{folder} cannot be read: {error.strerror}; check the path") from None
    if folder is not path:
        head, tail = map(re.escape, _NUMBER_FIELD.split(path.name, maxsplit=1))
        matches = [(re.fullmatch(rf"{head}(\d+){tail}", name), name) for name in names]
        numbered = [(int(match[1]), name) for match, name in matches if match]
    else:
        numbered = _find_only_sequence(path, names)
    if not numbered:
        raise SourceError(f"{path} holds no numbered pictures")
    numbered.sort()
    for (before, first), (after, second) in pairwise(numbered):
        if before == after:
            raise SourceError(f"{path}: {first} and {second} have the same number; keep one")
    return tuple(NumberedFile(number, folder / name) for number, name in numbered)


def _find_only_sequence(path: Path, names: list[str]) -> list[tuple[int, str]]:
    sequences: dict[tuple[str, str, str], list[tuple[int, str]]] = {}
    for name in names:
        stem, extension = os.path.splitext(name)  # noqa: PTH122 (a name, not a path)
        if extension.lower() not in _EXTENSIONS or name.startswith("."):
            continue
        match = _NUMBERED.fullmatch(stem)
        if match is None:
            raise SourceError(f"{path / name} has no number in its name; move it away or number it")
        group = (match["head"], match["tail"], extension.lower())
        sequences.setdefault(group, []).append((int(match["number"]), name))
    if len(sequences) > 1:
        patterns = sorted(f"{head}#{tail}{extension}" for head, tail, extension in sequences)
        more = " and more" if len(patterns) > _MAX_NAMED else ""
        raise SourceError(
            f"{path} holds several sequences ({', '.join(patterns[:_MAX_NAMED])}{more}); "
            "name one of them by such a pattern"
        )
    return next(iter(sequences.values()), [])
