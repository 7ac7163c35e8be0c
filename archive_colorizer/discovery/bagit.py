"""Read the checksums of a BagIt bag, so that a scan that has changed since is refused.

Decoding cannot notice a flipped bit.  The only module that imports bagit.
"""

import contextlib
import hashlib
import logging
import os
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from archive_colorizer.discovery.walk import walk
from archive_colorizer.errors import DependencyError, FailureReason, SourceError
from archive_colorizer.location import Location
from archive_colorizer.records.jobs import NO_STAMP, RejectedEntry, Source

_DECLARATION: Final = "bagit.txt"
_DATA: Final = "data"
_ALGORITHMS: Final = ("sha256", "sha512", "sha384", "sha224", "sha1", "md5")
"""The first that a file has is used; sha256 is free, because a run needs it anyway."""


def walk_root(root: Location, prefix: str = "") -> Iterator[Source | RejectedEntry]:
    """Find the entries below a root; of a bag those of its payload, with their checksums.

    Raises SourceError for a bag that is broken or names files outside itself, and
    DependencyError without bagit.
    """
    if isinstance(root, Path) and (root / _DECLARATION).is_file():
        return _add_checksums(root / _DATA, _read_checksums(root), prefix)
    return walk(root, prefix)


def _read_checksums(root: Path) -> dict[str, str]:
    """Return `algorithm:digest` by path below the payload folder, as the bag's manifests list it.

    Only the manifests are read, and checked against the tag manifests where there are any.
    """
    bag = open_bag(root)
    for path in bag.entries:
        parts = path.split("/")
        if os.path.isabs(path) or ".." in parts or path.startswith("~"):  # noqa: PTH117
            raise SourceError(f"the bag {root} names {path!r}, which lies outside it; refuse it")
    _check_manifests(root, bag)
    checksums = {}
    for path, digests in bag.payload_entries().items():
        if checksum := _choose_checksum(digests):
            checksums[_compose(path.removeprefix(_DATA + "/"))] = checksum
    if not checksums and not any(bag.manifest_files()):
        raise SourceError(f"the bag {root} has no manifest; ask for a whole one")
    return checksums


def _add_checksums(
    payload: Path, checksums: Mapping[str, str], prefix: str
) -> Iterator[Source | RejectedEntry]:
    """Yield the entries below the payload folder, each source with the checksum it must have.

    A picture that the bag does not list, and a listed file that is missing, become failures.
    """
    missing = set(checksums)
    for entry in walk(payload, prefix):
        name = _compose(entry.relative)
        missing.discard(name)
        if isinstance(entry, RejectedEntry):
            yield entry
        elif name in checksums:
            yield replace(entry, fixity=checksums[name])
        else:
            message = f"{entry.relative} is not in the bag's manifest, so nothing vouches for it"
            yield entry.reject(FailureReason.FIXITY, message, failed=True)
    for name in sorted(missing):
        message = f"{name} is in the bag's manifest and missing; ask for the bag again"
        source = Source(str(payload), name, NO_STAMP, prefix)
        yield source.reject(FailureReason.FIXITY, message, failed=True)


def open_bag(root: Path) -> Any:
    """Open a bagit.Bag; raises SourceError when it cannot be read."""
    try:
        import bagit
    except ImportError:
        raise DependencyError(
            f"{root} is a BagIt bag, and bagit is not installed; run: pip install bagit"
        ) from None
    # It also logs what it raises.
    logging.getLogger("bagit").setLevel(logging.CRITICAL)
    try:
        return bagit.Bag(str(root))
    except (bagit.BagError, OSError, ValueError, LookupError) as error:
        raise SourceError(
            f"the bag {root} cannot be read: {error}; repair it, or give its folder data"
        ) from None


def _check_manifests(root: Path, bag: Any) -> None:
    """Raise SourceError when a manifest itself has changed since the tag manifests were made."""
    for name, digests in bag.tagfile_entries().items():
        checksum = _choose_checksum(digests)
        if not name.startswith("manifest-") or checksum is None:
            continue
        algorithm, digest = checksum.split(":")
        current = None
        with contextlib.suppress(OSError), (root / name).open("rb") as stream:
            current = hashlib.file_digest(stream, algorithm).hexdigest()
        if current != digest:
            raise SourceError(
                f"{root / name} is not what the bag's {algorithm} tag manifest says; "
                "ask for the bag again"
            )


def _choose_checksum(digests: Mapping[str, str]) -> str | None:
    checksums = (f"{name}:{digests[name].lower()}" for name in _ALGORITHMS if name in digests)
    return next(checksums, None)


def _compose(path: str) -> str:
    # Bags travel between systems that compose accents and systems that decompose them.
    return unicodedata.normalize("NFC", path)
