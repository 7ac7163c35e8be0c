"""Check that another machine has mounted the folders of a run at the same paths."""

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

_PROBES_PER_ROOT: Final = 3
"""Entries of a root to look for, since an empty mount point has none."""


@dataclass(frozen=True, slots=True)
class MountProbe:
    """An entry of a root, with its size in bytes if it is a file."""

    path: str
    size: int | None

    @classmethod
    def take(cls, path: Path) -> "MountProbe":
        """Probe a path; raises OSError if nothing is there."""
        status = path.lstat()
        return cls(str(path), status.st_size if stat.S_ISREG(status.st_mode) else None)

    def is_unchanged(self) -> bool:
        try:
            return MountProbe.take(Path(self.path)) == self
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class SharedMounts:
    """What is to be found on every machine: roots, some of their entries, and a mark.

    `mark` is a file in the output that has `token` as its content; empty where there is none.
    """

    roots: tuple[str, ...] = ()
    probes: tuple[MountProbe, ...] = ()
    marker: str = ""
    token: str = ""

    @classmethod
    def probe(cls, roots: Sequence[Path], marker: str, token: str) -> "SharedMounts":
        """Probe the roots now; in a watched folder, entries come and go."""
        probes = tuple(probe for root in roots for probe in _probe_root(root))
        return cls(tuple(map(str, roots)), probes, marker, token)

    def is_unchanged(self) -> bool:
        return all(probe.is_unchanged() for probe in self.probes)

    def check(self) -> None:
        """Raise SourceError or OutputError if this machine lacks any of them."""
        for root in self.roots:
            if not os.access(root, os.R_OK):
                raise SourceError(f"{root} is missing or cannot be read; mount it there")
        for probe in self.probes:
            if not probe.is_unchanged():
                raise SourceError(
                    f"{probe.path} is missing or differs: the path leads to another folder or to "
                    "an empty mount point; mount the folder with the scans there"
                )
            if probe.size is not None and not os.access(probe.path, os.R_OK):
                raise SourceError(f"{probe.path} cannot be read; let the worker's user read it")
        if self.marker:
            _check_marker(Path(self.marker), self.token)


@contextmanager
def write_marker(output: Path) -> Iterator[tuple[str, str]]:
    """Write a temporary marker file into `output`, and yield its path and content.

    Raises OutputError.
    """
    token = secrets.token_hex(32)
    path = output / WORK / f"mark-{token[:16]}"
    try:
        path.write_text(token, encoding="ascii")
    except OSError as error:
        raise OutputError(f"cannot write {path} ({error.strerror}); fix this") from error
    try:
        yield str(path), token
    finally:
        with suppress(OSError):
            path.unlink()


def _probe_root(root: Path) -> Iterator[MountProbe]:
    paths = [root]
    with suppress(NotADirectoryError), os.scandir(root) as entries:
        paths = [Path(entry.path) for entry in islice(entries, _PROBES_PER_ROOT)]
    for path in paths:
        with suppress(FileNotFoundError):
            yield MountProbe.take(path)


def _check_marker(marker: Path, token: str) -> None:
    output = marker.parent.parent
    try:
        content = marker.read_text(encoding="ascii")
    except (OSError, ValueError):
        content = ""
    if content != token:
        raise OutputError(
            f"{output} is not the folder that this run writes in; share it, and mount it there"
        )
    own_marker = marker.with_name(f"{marker.name}-{secrets.token_hex(4)}")
    try:
        own_marker.write_text(token, encoding="ascii")
        own_marker.unlink()
    except OSError as error:
        raise OutputError(
            f"{output} cannot be written ({error.strerror}); let the worker's user write there"
        ) from None
    if not os.access(output, os.W_OK | os.X_OK):
        raise OutputError(f"{output} cannot be written; let the worker's user write there")
