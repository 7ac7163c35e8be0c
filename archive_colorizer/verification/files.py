"""Is everything that a manifest accounts for still there, still the same, and alone?"""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from archive_colorizer.checksums import LIST, read_list
from archive_colorizer.location import Address, Place
from archive_colorizer.manifest.target_names import MANIFEST, WORK
from archive_colorizer.records.jobs import Outcome, sidecar_of
from archive_colorizer.run.findings import Finding, Kind
from archive_colorizer.run.verify_objects import missing_object, unexpected_objects
from archive_colorizer.storage.fixity import read_fixity


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
