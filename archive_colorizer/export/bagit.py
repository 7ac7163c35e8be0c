"""Pack an output into a BagIt bag, atomically, and hash the files while they are copied.

The bag holds the files that the manifest accounts for, and is made only when all of them are
as recorded: a bag that confirms a damaged file would be worse than none.
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
from archive_colorizer.executors.threads import map_in_threads
from archive_colorizer.manifest.reader import ManifestReader
from archive_colorizer.output.local import open_folder
from archive_colorizer.output.ownership import describe_holder
from archive_colorizer.records.outcomes import Outcome
from archive_colorizer.records.paths import MANIFEST
from archive_colorizer.storage.atomic import describe_write_error, write_atomically
from archive_colorizer.storage.overlap import check_no_overlap
from archive_colorizer.storage.reading import get_storage
from archive_colorizer.verification.files import Finding, FindingKind, list_files

_DESCRIPTION: Final = (
    "Photographs whose color was added by an algorithm: the colors are a machine's guess, the "
    "light and shade are the photographs'. data/manifest.jsonl accounts for every file."
)
_CHUNK: Final = 1 << 20
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class _PackedFile:
    """A file in the payload; its path is below data, its size in bytes."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class _BagResult:
    """The payload of a bag, or the findings that prevented it."""

    files: int
    size: int
    findings: tuple[Finding, ...] = ()


def write_bag(output: Path, destination: Path) -> _BagResult:
    """Copy the results that the manifest in `output` accounts for into a new bag.

    The payload is the output as it is, with its manifest, so that it can be verified there.
    With findings no bag is made.  Raises TargetExists when the destination exists, OutputBusy
    while a run is at work, UsageError when one contains the other, and OutputError when the bag
    cannot be written or a name is impossible in one.
    """
    manifest = ManifestReader.open(output)
    if holder := describe_holder(output):
        raise OutputBusy(f"a run ({holder}) holds {output}; wait for it")
    check_no_overlap([output], destination)
    if os.path.lexists(destination):
        raise TargetExists(f"{destination} exists and was kept; choose another place")
    unfinished = destination.with_name(destination.name + ".unfinished")
    try:
        unfinished.mkdir(parents=True)
    except FileExistsError:
        raise TargetExists(
            f"{unfinished} is left from an interrupted command; remove it and try again"
        ) from None
    except OSError as error:
        raise describe_write_error(destination, error) from error
    try:
        (unfinished / "data").mkdir()
        result = _fill(output, unfinished, manifest)
        if not result.findings:
            unfinished.rename(destination)
            _sync(destination.parent)
        return result
    except OSError as error:
        raise describe_write_error(destination, error) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _fill(output: Path, bag: Path, manifest: ManifestReader) -> _BagResult:
    packed_files: list[_PackedFile] = []
    findings: list[Finding] = []
    outcomes = (entry.outcome for entry in manifest.iterate_done())
    pack = partial(_pack, output, bag / "data")
    for result in map_in_threads(pack, _iter_files(outcomes, output)):
        if isinstance(result, Finding):
            findings.append(result)
        else:
            packed_files.append(result)
    if findings:
        return _BagResult(0, 0, tuple(findings))
    packed_files.append(_copy(output / MANIFEST, bag / "data", MANIFEST))
    size = sum(file.size for file in packed_files)
    _write_tags(bag, packed_files, _build_info(manifest, size, len(packed_files)))
    _read_back(bag, packed_files)
    return _BagResult(len(packed_files), size)


def _iter_files(outcomes: Iterable[Outcome], output: Path) -> Iterator[tuple[str, str]]:
    for outcome in outcomes:
        for path, sha256 in list_files(outcome, output):
            if path.encode("utf-8", "ignore").decode() != path:
                raise OutputError(
                    f"{path}: a bag lists names in UTF-8, and this is not; rename the scan and run "
                    "again"
                )
            yield path, sha256


def _pack(output: Path, data: Path, file: tuple[str, str]) -> _PackedFile | Finding:
    path, sha256 = file
    if get_storage(output / path).find_stamp() is None:
        return Finding(FindingKind.MISSING, path, "it is no regular file")
    packed_file = _copy(output / path, data, path)
    if packed_file.sha256 != sha256:
        return Finding(
            FindingKind.CHANGED, path, f"sha256 is {packed_file.sha256}, recorded is {sha256}"
        )
    return packed_file


def _copy(source: Path, data: Path, path: str) -> _PackedFile:
    """Copy a regular file with its times, and hash it."""
    target = data / path
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    descriptor = os.open(source, _READ)
    try:
        status = os.fstat(descriptor)
        with target.open("xb") as stream:
            while chunk := os.read(descriptor, _CHUNK):
                digest.update(chunk)
                stream.write(chunk)
                size += len(chunk)
            stream.flush()
            os.fsync(stream.fileno())
    finally:
        os.close(descriptor)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
    return _PackedFile(path, digest.hexdigest(), size)


def _build_info(manifest: ManifestReader, size: int, files: int) -> list[tuple[str, str]]:
    """Build the labels of bag-info.txt, with models and runs."""
    labels = [
        ("Bagging-Date", f"{datetime.now(UTC):%Y-%m-%d}"),
        ("Bag-Software-Agent", f"archive-colorizer {__version__}"),
        ("Payload-Oxum", f"{size}.{files}"),
        ("External-Description", _DESCRIPTION),
    ]
    models = dict.fromkeys(f"{run.model} sha256 {run.model_sha256}" for run in manifest.runs)
    labels += [("Colorization-Model", model) for model in models]
    labels += [("Colorization-Run", f"{run.run} {run.version}") for run in manifest.runs]
    return [(label, " ".join(value.split())) for label, value in labels]


def _write_tags(bag: Path, packed_files: list[_PackedFile], info: list[tuple[str, str]]) -> None:
    files = {
        "bagit.txt": "BagIt-Version: 0.97\nTag-File-Character-Encoding: UTF-8\n",
        "bag-info.txt": "".join(f"{label}: {value}\n" for label, value in info),
        "manifest-sha256.txt": "".join(
            f"{file.sha256}  data/{_quote_path(file.path)}\n" for file in packed_files
        ),
    }
    lines = ""
    for name, text in files.items():
        data = text.encode("utf-8", "backslashreplace")
        _write(bag / name, data)
        lines += f"{hashlib.sha256(data).hexdigest()}  {name}\n"
    _write(bag / "tagmanifest-sha256.txt", lines.encode())
    _sync(bag)


def _quote_path(path: str) -> str:
    """Quote a name for the lists of BagIt 0.97."""
    return path.replace("\r", "%0D").replace("\n", "%0A")


def _read_back(bag: Path, packed_files: list[_PackedFile]) -> None:
    """Raise OutputError when another program could not find a packed file in the bag."""
    entries = open_bag(bag).payload_entries()
    for file in packed_files:
        if entries.get(f"data/{file.path}") != {"sha256": file.sha256}:
            raise OutputError(
                f"{file.path}: a bag cannot list this name; rename the scan and run again"
            )


def _write(path: Path, data: bytes) -> None:
    write_atomically(path, lambda stream: stream.write(data))


def _sync(folder: Path) -> None:
    with open_folder(str(folder)) as descriptor:
        os.fsync(descriptor)
