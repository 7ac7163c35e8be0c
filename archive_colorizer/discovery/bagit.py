"""BagIt: read a bag's checksums, so that nothing is made of a scan that has changed since.

Decoding cannot notice a flipped bit; a checksum can.  The only door of bagit.
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

from archive_colorizer.errors import DependencyError, SourceError
from archive_colorizer.records.jobs import Source, Unfit

FIXITY: Final = "fixity"
"""The reason of failures that a bag's checksums cause."""

_DECLARATION: Final = "bagit.txt"
_DATA: Final = "data"
_ALGORITHMS: Final = ("sha256", "sha512", "sha384", "sha224", "sha1", "md5")
"""The first that a file has is asked; sha256 costs nothing, since a run needs it anyway."""


@dataclass(frozen=True, slots=True)
class Payload:
    """What a bag holds: its folder, and `algorithm:digest` by path below that folder."""

    folder: Path
    fixity: Mapping[str, str]


def read_bag(root: Path) -> Payload | None:
    """The payload of the bag `root`, as its manifests list it; None for what is no bag.

    Only the manifests are read, and held against the tag manifests where there are any.
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
        known = next((one for one in _ALGORITHMS if one in digests), None)
        if known is not None:
            fixity[_composed(path.removeprefix(_DATA + "/"))] = f"{known}:{digests[known].lower()}"
    if not fixity and not any(bag.manifest_files()):
        raise SourceError(f"the bag {root} has no manifest; ask for a whole one")
    return Payload(root / _DATA, fixity)


def vouched(
    entries: Iterable[Source | Unfit], payload: Payload, prefix: str = ""
) -> Iterator[Source | Unfit]:
    """The entries found below a payload's folder, each source with the checksum it must have.

    A picture that the bag does not list, and a listed file that is not there, come as failures.
    """
    missing = set(payload.fixity)
    for entry in entries:
        name = _composed(entry.relative)
        missing.discard(name)
        if isinstance(entry, Unfit):
            yield entry
        elif name in payload.fixity:
            yield replace(entry, fixity=payload.fixity[name])
        else:
            message = f"{entry.relative} is not in the bag's manifest, so nothing vouches for it"
            yield _failed(entry.root, entry.relative, message, prefix)
    for name in sorted(missing):
        message = f"{name} is in the bag's manifest and missing; ask for the bag again"
        yield _failed(str(payload.folder), name, message, prefix)


def open_bag(root: Path) -> Any:
    """A bagit.Bag; raises SourceError when it cannot be read."""
    try:
        import bagit
    except ImportError:
        raise DependencyError(
            f"{root} is a BagIt bag, and bagit is not installed; run: pip install bagit"
        ) from None
    # It logs what it raises, too.
    logging.getLogger("bagit").setLevel(logging.CRITICAL)
    try:
        return bagit.Bag(str(root))
    except (bagit.BagError, OSError, ValueError, LookupError) as error:
        raise SourceError(
            f"the bag {root} cannot be read: {error}; mend it, or give its folder data"
        ) from None


def _check_manifests(root: Path, bag: Any) -> None:
    """A manifest that has changed itself would accuse sound files and acquit others."""
    for name, digests in bag.tagfile_entries().items():
        if not name.startswith("manifest-"):
            continue
        known = next((one for one in _ALGORITHMS if one in digests), None)
        if known is None:
            continue
        found = None
        with contextlib.suppress(OSError), (root / name).open("rb") as stream:
            found = hashlib.file_digest(stream, known).hexdigest()
        if found != digests[known].lower():
            raise SourceError(
                f"{root / name} is not what the bag's {known} tag manifest says; "
                "ask for the bag again"
            )


def _failed(root: str, relative: str, message: str, prefix: str) -> Unfit:
    return Unfit(root, relative, FIXITY, message, failed=True, prefix=prefix)


def _composed(path: str) -> str:
    """Bags travel between systems that compose accents and systems that part them."""
    return unicodedata.normalize("NFC", path)
