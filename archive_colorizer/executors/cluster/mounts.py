"""Footing: the places that a run stands on, and whether another machine has the same."""

import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from archive_colorizer.errors import OutputError, SourceError
from archive_colorizer.records.paths import WORK

_LANDMARKS: Final = 3
"""Entries of a root that must be there, too: an empty mount point has none of them."""


@dataclass(frozen=True, slots=True)
class Landmark:
    """Something in a root: a file with its size in bytes, or anything else, with None."""

    path: str
    size: int | None

    @classmethod
    def of(cls, path: Path) -> "Landmark":
        """What is there now; raises OSError when there is nothing."""
        status = path.lstat()
        return cls(str(path), status.st_size if stat.S_ISREG(status.st_mode) else None)

    def still_stands(self) -> bool:
        try:
            return Landmark.of(Path(self.path)) == self
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class Footing:
    """What is to be found on every machine: roots, some of their entries, and a mark.

    `mark` is a file in the output that has `word` as its content; empty where there is none.
    """

    roots: tuple[str, ...] = ()
    landmarks: tuple[Landmark, ...] = ()
    mark: str = ""
    word: str = ""

    @classmethod
    def at(cls, roots: Sequence[Path], mark: str, word: str) -> "Footing":
        """The footing as it is now; in a folder that is watched, entries come and go."""
        found = tuple(one for root in roots for one in _landmarks(root))
        return cls(tuple(map(str, roots)), found, mark, word)

    def still_stands(self) -> bool:
        """Whether the landmarks are as they were."""
        return all(one.still_stands() for one in self.landmarks)

    def check(self) -> None:
        """Look for all of it on this machine.

        Raises SourceError and OutputError, which say what is missing and what to do.
        """
        for root in self.roots:
            if not os.access(root, os.R_OK):
                raise SourceError(f"{root} is not there, or cannot be read; mount it there")
        for one in self.landmarks:
            if not one.still_stands():
                raise SourceError(
                    f"{one.path} is not there as it is here: another folder has that path, or "
                    "an empty mount point; mount the one with the scans there"
                )
            if one.size is not None and not os.access(one.path, os.R_OK):
                raise SourceError(f"{one.path} cannot be read; let the worker's user read it")
        if self.mark:
            _check_mark(Path(self.mark), self.word)


@contextmanager
def marked(output: Path) -> Iterator[tuple[str, str]]:
    """Path and content of a new file among the run's own in `output`, while this lasts.

    Raises OutputError when it cannot be written.
    """
    word = secrets.token_hex(32)
    path = output / WORK / f"mark-{word[:16]}"
    try:
        path.write_text(word, encoding="ascii")
    except OSError as error:
        raise OutputError(f"cannot write {path} ({error.strerror}); mend that") from error
    try:
        yield str(path), word
    finally:
        with suppress(OSError):
            path.unlink()


def _landmarks(root: Path) -> Iterator[Landmark]:
    places = [root]
    with suppress(NotADirectoryError), os.scandir(root) as entries:
        places = [Path(entry.path) for entry in islice(entries, _LANDMARKS)]
    for place in places:
        with suppress(FileNotFoundError):
            yield Landmark.of(place)


def _check_mark(mark: Path, word: str) -> None:
    output = mark.parent.parent
    try:
        there = mark.read_text(encoding="ascii")
    except (OSError, ValueError):
        there = ""
    if there != word:
        raise OutputError(
            f"{output} is not the folder that this run writes in; share it, and mount it there"
        )
    own = mark.with_name(f"{mark.name}-{secrets.token_hex(4)}")
    try:
        own.write_text(word, encoding="ascii")
        own.unlink()
    except OSError as error:
        raise OutputError(
            f"{output} cannot be written ({error.strerror}); let the worker's user write there"
        ) from None
    if not os.access(output, os.W_OK | os.X_OK):
        raise OutputError(f"{output} cannot be written; let the worker's user write there")
