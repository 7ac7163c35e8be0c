"""Check that the files of an output are present, unchanged and expected."""

import contextlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from archive_colorizer.errors import ArchiveColorizerError, SourceError
from archive_colorizer.location import Location, ObjectLocation
from archive_colorizer.output.recovery import read_outcome_at
from archive_colorizer.records.outcomes import Outcome
from archive_colorizer.records.paths import MANIFEST, WORK, get_sidecar_path
from archive_colorizer.storage.fixity import CHECKSUM_LIST, read_checksum_list
from archive_colorizer.storage.object_storage import ObjectStorage
from archive_colorizer.storage.reading import get_storage

AnyLocation = TypeVar("AnyLocation")
Content = TypeVar("Content")


class FindingKind(StrEnum):
    """Kinds of findings; the first three are BagIt's words."""

    MISSING = "FileMissing"
    CHANGED = "ChecksumMismatch"
    UNEXPECTED = "UnexpectedFile"
    SOURCE_MISSING = "SourceMissing"
    SOURCE_CHANGED = "SourceChanged"
    LUMA = "LumaMismatch"


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault of one file; `path` is below the output, or the name of a source."""

    kind: FindingKind
    path: str
    message: str


def list_files(outcome: Outcome, output: Location) -> Iterator[tuple[str, str]]:
    """Yield the files of an outcome, as paths below the output, with their sha256.

    The target of a film of numbered frames is a list of its files.
    """
    if outcome.target is None:
        return
    yield outcome.target, outcome.target_sha256 or ""
    if outcome.sidecar_sha256 is not None:
        yield get_sidecar_path(outcome.target), outcome.sidecar_sha256
    if (
        outcome.frames is not None
        and outcome.target.endswith(CHECKSUM_LIST)
        and isinstance(output, Path)
    ):
        folder = outcome.target.rpartition("/")[0]
        with contextlib.suppress(OSError):
            for name, sha256 in read_checksum_list(output / outcome.target).items():
                yield f"{folder}/{name}" if folder else name, sha256


def check_file(output: Location, path: str, sha256: str) -> Finding | None:
    """Hash one file or object of the output; a Finding unless it is as recorded."""
    location = output / path
    fixity = get_storage(location).read_fixity()
    if fixity is not None and fixity[1] == sha256:
        return None
    if fixity is not None:
        return Finding(FindingKind.CHANGED, path, f"sha256 is {fixity[1]}, recorded is {sha256}")
    try:
        if isinstance(location, ObjectLocation):
            ObjectStorage(location).read_info()
        elif not stat.S_ISREG(os.lstat(location).st_mode):
            return Finding(FindingKind.MISSING, path, "it is a link, a folder or a special file")
    except OSError as error:
        return Finding(FindingKind.MISSING, path, error.strerror or str(error))
    return Finding(FindingKind.CHANGED, path, "it cannot be read, or is being written right now")


def find_unexpected(output: Location, expected: set[str]) -> Iterator[Finding]:
    """Find files in the output that are neither in `expected` nor the run's own.

    Links and special files count, wherever they lead; folders do not.  Raises SourceError when a
    store cannot be listed.
    """
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            children = list(_list_folder(output, folder))
        except OSError as error:
            if isinstance(output, ObjectLocation):
                raise SourceError(f"{output} cannot be listed: {error.strerror}") from None
            message = f"the folder cannot be read: {error.strerror}"
            yield Finding(FindingKind.UNEXPECTED, folder, message)
            continue
        for path, is_folder in children:
            if path in (MANIFEST, WORK):
                continue
            if is_folder:
                folders.append(path)
            elif path not in expected:
                yield Finding(FindingKind.UNEXPECTED, path, _explain_unexpected(output, path))


def _list_folder(output: Location, folder: str) -> Iterator[tuple[str, bool]]:
    """Yield the paths below the output in one of its folders, and whether each is a folder."""
    listing = get_storage(output / folder if folder else output).list_folder()
    for name in listing.names:
        path = f"{folder}/{name}" if folder else name
        yield path.removesuffix("/"), listing.inspect(name).kind == "folder"


def _explain_unexpected(output: Location, path: str) -> str:
    if isinstance(output, ObjectLocation) and read_outcome_at(output, path) is not None:
        return "an interrupted run made it and could not record it; run again to record it"
    return "the manifest does not list it"


def find_source(
    outcome: Outcome,
    locations: Iterable[AnyLocation],
    read: Callable[[AnyLocation], tuple[Content, str]],
) -> Content | Finding:
    """Return the content of the first location that still holds the source of `outcome`.

    read: returns a content and its sha256, and raises ArchiveColorizerError.
    """
    message, is_changed = "no run of the manifest says where it lay", False
    for location in locations:
        try:
            content, sha256 = read(location)
        except ArchiveColorizerError as error:
            message = message if is_changed else str(error)
            continue
        if sha256 == outcome.source_sha256:
            return content
        message, is_changed = f"{location} is not what was restored", True
    kind = FindingKind.SOURCE_CHANGED if is_changed else FindingKind.SOURCE_MISSING
    return Finding(kind, outcome.name, message)
