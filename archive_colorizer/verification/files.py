"""Is everything that a manifest accounts for still there, still the same, and alone?"""

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from archive_colorizer.errors import SourceError
from archive_colorizer.location import Address, Place
from archive_colorizer.output.recovery import outcome_at
from archive_colorizer.records.outcomes import Outcome
from archive_colorizer.records.paths import MANIFEST, WORK, sidecar_of
from archive_colorizer.storage.fixity import LIST, read_fixity, read_list


class Kind(StrEnum):
    """What is wrong; the first three are BagIt's words."""

    MISSING = "FileMissing"
    CHANGED = "ChecksumMismatch"
    UNEXPECTED = "UnexpectedFile"
    SOURCE_MISSING = "SourceMissing"
    SOURCE_CHANGED = "SourceChanged"
    LUMA = "LumaMismatch"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with one file; `path` is below the output, or a source's name."""

    kind: Kind
    path: str
    message: str


def files_of(outcome: Outcome, output: Place) -> Iterator[tuple[str, str]]:
    """The files that an outcome has made, below the output, and their sha256.

    Those of a film of numbered frames stand in the list that is its target.
    """
    if outcome.target is None:
        return
    yield outcome.target, outcome.target_sha256 or ""
    if outcome.sidecar_sha256 is not None:
        yield sidecar_of(outcome.target), outcome.sidecar_sha256
    if outcome.frames is not None and outcome.target.endswith(LIST) and isinstance(output, Path):
        folder = outcome.target.rpartition("/")[0]
        with contextlib.suppress(OSError):
            for name, sha256 in read_list(output / outcome.target).items():
                yield f"{folder}/{name}" if folder else name, sha256


def check_file(output: Place, path: str, sha256: str) -> Finding | None:
    """Hash one file or object of the output."""
    place = output / path
    found = read_fixity(place)
    if found is not None and found[1] == sha256:
        return None
    if found is not None:
        return Finding(Kind.CHANGED, path, f"sha256 is {found[1]}, recorded is {sha256}")
    if isinstance(place, Address):
        return missing_object(place, path)
    try:
        status = os.lstat(place)
    except OSError as error:
        return Finding(Kind.MISSING, path, error.strerror or str(error))
    if not stat.S_ISREG(status.st_mode):
        return Finding(Kind.MISSING, path, "a link, a folder or another thing stands in its place")
    return Finding(Kind.CHANGED, path, "it cannot be read, or is being written at this moment")


def unexpected_files(output: Place, expected: set[str]) -> Iterator[Finding]:
    """Whatever lies in the output and is neither in `expected` nor the run's own.

    Links and special files count, wherever they lead; folders do not.
    """
    if isinstance(output, Address):
        yield from unexpected_objects(output, expected)
        return
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(output / folder) as entries:
                below = sorted(entries, key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            message = f"the folder cannot be read: {error.strerror}"
            yield Finding(Kind.UNEXPECTED, folder, message)
            continue
        for entry in below:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if path in (MANIFEST, WORK):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
            elif path not in expected:
                yield Finding(Kind.UNEXPECTED, path, "the manifest does not know it")


def missing_object(place: Address, path: str) -> Finding:
    """What is wrong with an object that could not be hashed."""
    from archive_colorizer.storage import objects

    try:
        objects.look(place)
    except OSError as error:
        return Finding(Kind.MISSING, path, error.strerror or str(error))
    return Finding(Kind.CHANGED, path, "it cannot be read, or is being written at this moment")


def unexpected_objects(output: Address, expected: set[str]) -> Iterator[Finding]:
    """Whatever lies below the output and is neither in `expected` nor the run's own.

    Raises SourceError when it cannot be listed.
    """
    from archive_colorizer.storage import objects

    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            found = list(objects.list_folder(output / folder if folder else output))
        except OSError as error:
            raise SourceError(f"{output} cannot be listed: {error.strerror}") from None
        for one in found:
            path = one.path.removeprefix(f"{output.path}/")
            if path in (MANIFEST, WORK):
                continue
            if one.stamp is None:
                folders.append(path)
            elif path not in expected:
                yield Finding(Kind.UNEXPECTED, path, _said(output, path))


def _said(output: Address, path: str) -> str:
    if outcome_at(output, path) is None:
        return "the manifest does not know it"
    return "made by a run that was ended before it could record it; run again to take it in"
