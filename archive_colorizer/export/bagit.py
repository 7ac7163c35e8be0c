"""An output packed into a BagIt bag: copied, hashed on the way, and whole or not there.

Only what the manifest accounts for goes in, and only when all of it is as recorded: a bag
that vouches for a damaged file would be worse than none.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from archive_colorizer._version import __version__
from archive_colorizer.discovery.bagit import open_bag
from archive_colorizer.errors import OutputBusy, OutputError, TargetExists
from archive_colorizer.executors.threads import in_threads
from archive_colorizer.manifest.reader import Account
from archive_colorizer.output.lock import holder_of
from archive_colorizer.records.outcomes import Outcome
from archive_colorizer.records.paths import MANIFEST
from archive_colorizer.storage.fixity import read_stamp
from archive_colorizer.storage.overlap import check_apart
from archive_colorizer.verification.files import Finding, Kind, files_of

_DESCRIPTION: Final = (
    "Photographs whose color was added by an algorithm: the colors are a machine's guess, the "
    "light and shade are the photographs'. data/manifest.jsonl accounts for every file."
)
_CHUNK: Final = 1 << 20
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Packed:
    """A file in the payload: its path below data, its sha256, its size in bytes."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Bagged:
    """What became of packing: the payload of the bag, or what kept it from being made."""

    files: int
    size: int
    findings: tuple[Finding, ...] = ()


def write_bag(output: Path, destination: Path) -> Bagged:
    """Copy the results that the manifest in `output` accounts for into a new bag.

    The payload is the output as it is, with its manifest, so that it can be verified there.
    With findings no bag is made.  Raises TargetExists when the destination is there,
    OutputBusy while a run is at work, UsageError when one lies in the other, and OutputError
    when the bag cannot be written or a name cannot stand in one.
    """
    account = Account.open(output)
    holder = holder_of(output)
    if holder:
        raise OutputBusy(f"a run ({holder}) holds {output}; wait for it")
    check_apart([output], destination)
    if os.path.lexists(destination):
        raise TargetExists(f"{destination} exists and was kept; choose another place")
    unfinished = destination.with_name(destination.name + ".unfinished")
    try:
        unfinished.mkdir(parents=True)
    except FileExistsError:
        raise TargetExists(
            f"{unfinished} was left by a run that was ended; remove it and try again"
        ) from None
    except OSError as error:
        raise _error(destination, error) from error
    try:
        (unfinished / "data").mkdir()
        bagged = _fill(output, unfinished, account)
        if not bagged.findings:
            unfinished.rename(destination)
            _sync(destination.parent)
        return bagged
    except OSError as error:
        raise _error(destination, error) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _fill(output: Path, bag: Path, account: Account) -> Bagged:
    packed: list[Packed] = []
    findings: list[Finding] = []
    outcomes = (entry.outcome for entry in account.done())
    for made in in_threads(partial(_pack, output, bag / "data"), _files(outcomes, output)):
        if isinstance(made, Finding):
            findings.append(made)
        else:
            packed.append(made)
    if findings:
        return Bagged(0, 0, tuple(findings))
    packed.append(_copy(output / MANIFEST, bag / "data", MANIFEST))
    size = sum(one.size for one in packed)
    _write_tags(bag, packed, _info(account, size, len(packed)))
    _read_back(bag, packed)
    return Bagged(len(packed), size)


def _files(outcomes: Iterable[Outcome], output: Path) -> Iterator[tuple[str, str]]:
    for outcome in outcomes:
        for path, sha256 in files_of(outcome, output):
            _check_name(path)
            yield path, sha256


def _check_name(path: str) -> None:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        raise OutputError(
            f"{path}: a bag lists names in UTF-8, which this is not; rename the scan and run again"
        ) from None


def _pack(output: Path, data: Path, file: tuple[str, str]) -> Packed | Finding:
    path, sha256 = file
    if read_stamp(output / path) is None:
        return Finding(Kind.MISSING, path, "there is no regular file in its place")
    made = _copy(output / path, data, path)
    if made.sha256 != sha256:
        return Finding(Kind.CHANGED, path, f"sha256 is {made.sha256}, recorded is {sha256}")
    return made


def _copy(source: Path, data: Path, path: str) -> Packed:
    """Copy a regular file with its times and hash what was read."""
    place = data / path
    place.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    descriptor = os.open(source, _READ)
    try:
        status = os.fstat(descriptor)
        with place.open("xb") as stream:
            while chunk := os.read(descriptor, _CHUNK):
                digest.update(chunk)
                stream.write(chunk)
                size += len(chunk)
            stream.flush()
            os.fsync(stream.fileno())
    finally:
        os.close(descriptor)
    os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns))
    return Packed(path, digest.hexdigest(), size)


def _info(account: Account, size: int, files: int) -> list[tuple[str, str]]:
    """bag-info.txt: the labels of BagIt, and by what means the color was made."""
    said = [
        ("Bagging-Date", f"{datetime.now(UTC):%Y-%m-%d}"),
        ("Bag-Software-Agent", f"archive-colorizer {__version__}"),
        ("Payload-Oxum", f"{size}.{files}"),
        ("External-Description", _DESCRIPTION),
    ]
    models = dict.fromkeys(f"{run.model} sha256 {run.model_sha256}" for run in account.runs)
    said += [("Colorization-Model", one) for one in models]
    said += [("Colorization-Run", f"{run.run} {run.version}") for run in account.runs]
    return [(label, " ".join(value.split())) for label, value in said]


def _write_tags(bag: Path, packed: list[Packed], info: list[tuple[str, str]]) -> None:
    files = {
        "bagit.txt": "BagIt-Version: 0.97\nTag-File-Character-Encoding: UTF-8\n",
        "bag-info.txt": "".join(f"{label}: {value}\n" for label, value in info),
        "manifest-sha256.txt": "".join(
            f"{one.sha256}  data/{_listed(one.path)}\n" for one in packed
        ),
    }
    lines = []
    for name, text in files.items():
        data = text.encode("utf-8", "backslashreplace")
        _write(bag / name, data)
        lines.append(f"{hashlib.sha256(data).hexdigest()}  {name}\n")
    _write(bag / "tagmanifest-sha256.txt", "".join(lines).encode())
    _sync(bag)


def _listed(path: str) -> str:
    """A name as BagIt 0.97 lists it."""
    return path.replace("\r", "%0D").replace("\n", "%0A")


def _read_back(bag: Path, packed: list[Packed]) -> None:
    """Raise OutputError when another program would not find in the bag what was put in."""
    entries = open_bag(bag).payload_entries()
    for one in packed:
        if entries.get(f"data/{one.path}") != {"sha256": one.sha256}:
            raise OutputError(
                f"{one.path}: the name cannot stand in a bag's manifest; rename the scan "
                "and run again"
            )


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _error(destination: Path, error: OSError) -> OutputError:
    return OutputError(
        f"cannot write the bag {destination}: {error.strerror or error}; mend that and try again"
    )
