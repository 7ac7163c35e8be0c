"""Read the checksums of a BagIt bag, so that a scan that has changed since is refused.

Decoding cannot notice a flipped bit.  The only module that imports bagit.
"""

import contextlib
import hashlib
import logging
import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from archive_colorizer.discovery.classify import reject
from archive_colorizer.discovery.walk import walk
from archive_colorizer.errors import DependencyError, FailureReason, SourceError
from archive_colorizer.location import Location
from archive_colorizer.records.jobs import NO_STAMP, RejectedEntry, Source

"""Reason of the failures that a bag's checksums cause."""

_DECLARATION: Final = "bagit.txt"
_DATA: Final = "data"
_ALGORITHMS: Final = ("sha256", "sha512", "sha384", "sha224", "sha1", "md5")
"""The first that a file has is used; sha256 is free, because a run needs it anyway."""


@dataclass(frozen=True, slots=True)
class _BagPayload:
    """The payload folder of a bag, and `algorithm:digest` by path below that folder."""

    folder: Path
    fixity: Mapping[str, str]


def walk_root(root: Location, prefix: str = "") -> Iterator[Source | RejectedEntry]:
    """Find the entries below a root; of a bag those of its payload, with their checksums."""
    payload = read_bag(root) if isinstance(root, Path) else None
    entries = walk(payload.folder if payload else root, prefix)
    return add_bag_checksums(entries, payload, prefix) if payload else entries


def read_bag(root: Path) -> _BagPayload | None:
    """Read the payload that the manifests of a bag list; None when `root` is no bag.

    Only the manifests are read, and checked against the tag manifests where there are any.
    Raises SourceError for a bag that is broken or names files outside itself, and
    DependencyError without bagit.
    """
    if not (root / _DECLARATION).is_file():
        return None
    bag = open_bag(root)
    for path in bag.entries:
        parts = path.split("/")
        if os.path.isabs(path) or ".." in parts or path.startswith("~"):  # noqa: PTH117
            raise SourceError(f"the bag {root} names {path!r}, which lies outside it; refuse it")
    _check_manifests(root, bag)
    fixity = {}
    for path, digests in bag.payload_entries().items():
        if checksum := _choose_checksum(digests):
            fixity[_compose(path.removeprefix(_DATA + "/"))] = checksum
    if not fixity and not any(bag.manifest_files()):
        raise SourceError(f"the bag {root} has no manifest; ask for a whole one")
    return _BagPayload(root / _DATA, fixity)


def add_bag_checksums(
    entries: Iterable[Source | RejectedEntry], payload: _BagPayload, prefix: str = ""
) -> Iterator[Source | RejectedEntry]:
    """Add to each source below the payload folder the checksum that it must have.

    A picture that the bag does not list, and a listed file that is missing, become failures.
    """
    missing = set(payload.fixity)
    for entry in entries:
        name = _compose(entry.relative)
        missing.discard(name)
        if isinstance(entry, RejectedEntry):
            yield entry
        elif name in payload.fixity:
            yield replace(entry, fixity=payload.fixity[name])
        else:
            message = f"{entry.relative} is not in the bag's manifest, so nothing vouches for it"
            yield reject(entry, FailureReason.FIXITY, message, failed=True)
    for name in sorted(missing):
        message = f"{name} is in the bag's manifest and missing; ask for the bag again"
        source = Source(str(payload.folder), name, NO_STAMP, prefix)
        yield reject(source, FailureReason.FIXITY, message, failed=True)


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
