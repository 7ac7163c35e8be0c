"""Access objects in a store.

Questions about results are answered from the listing of their folder, of which the last few are
cached: a run asks for one file after the other in the order of their folders, and a request for
each would take a thousand times as long as a listing.
"""

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from archive_colorizer.errors import SourceChanged, SourceError, StoreUnreachable
from archive_colorizer.location import ObjectLocation
from archive_colorizer.records.jobs import NO_STAMP, Stamp
from archive_colorizer.storage import objects
from archive_colorizer.storage.atomic import describe_write_error
from archive_colorizer.storage.file_view import describe_change
from archive_colorizer.storage.interface import Entry, EntryKind

_CACHED_FOLDERS: Final = 8
"""Sources come depth first, and results lie in folders of the same names."""
_NO_NAMES: Final = frozenset(("", ".", ".."))


class _ObjectListing:
    """The objects and folders directly below a prefix; one request for each thousand."""

    def __init__(self, folder: ObjectLocation) -> None:
        infos = sorted(objects.list_folder(folder), key=lambda info: info.path.encode())
        self._entries: dict[str, Entry] = {}
        for info in infos:
            name = info.path.rpartition("/")[2]
            # s3fs would take what follows "?versionId=" for a version.
            is_bad = name in _NO_NAMES or "?versionId=" in name
            kind: EntryKind = "folder" if info.stamp is None else "file"
            name = f"{name}/" if info.stamp is None else name
            self._entries[name] = Entry("bad-key" if is_bad else kind, info.stamp)
        self.names = list(self._entries)

    def inspect(self, name: str) -> Entry:
        if name not in self._entries:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return self._entries[name]


@dataclass(frozen=True, slots=True)
class ObjectStorage:
    """A location in a store."""

    location: ObjectLocation

    def read(self, expected_stamp: Stamp | None = None) -> tuple[bytes, Stamp]:
        try:
            stamp = expected_stamp or objects.read_info(self.location).stamp or NO_STAMP
            data = objects.read(self.location)
        except OSError as error:
            raise describe_source_error(self.location, error) from None
        if len(data) != stamp.size:
            raise describe_change(self.location)
        return data, stamp

    def read_beginning(self, length: int, stamp: Stamp) -> bytes:
        return objects.read_part(self.location, length, 0) if stamp.size else b""

    def check_unchanged(self, stamp: Stamp) -> None:
        try:
            current_stamp = objects.read_info(self.location).stamp
        except FileNotFoundError:
            raise SourceChanged(f"{self.location} went away during its restoration") from None
        except OSError as error:
            raise describe_source_error(self.location, error) from None
        if current_stamp != stamp:
            raise SourceChanged(f"{self.location} was written to since it was listed; run again")

    def is_file(self) -> bool:
        try:
            return bool(self.location.key) and objects.read_info(self.location).stamp is not None
        except FileNotFoundError:
            return False
        except OSError as error:
            raise describe_source_error(self.location, error) from None

    def is_present(self) -> bool:
        return self.find_stamp() is not None

    def find_stamp(self) -> Stamp | None:
        with suppress(FileNotFoundError):
            return _list_cached(self.location.parent).inspect(self.location.name).stamp
        return None

    def read_fixity(self) -> tuple[Stamp, str] | None:
        try:
            before = objects.read_info(self.location).stamp
            digest = hashlib.sha256(objects.read(self.location)).hexdigest()
            after = objects.read_info(self.location).stamp
        except OSError:
            return None
        return None if after is None or after != before else (after, digest)

    def list_folder(self) -> _ObjectListing:
        return _ObjectListing(self.location)

    @contextmanager
    def copy_locally(self) -> Iterator[Path]:
        forget_listings()
        with tempfile.TemporaryDirectory(prefix="colorizer-") as folder:
            path = Path(folder, self.location.name)
            objects.download(self.location, path)
            yield path


def forget_listings() -> None:
    """List folders again from here on."""
    _list_cached.cache_clear()


@lru_cache(maxsize=_CACHED_FOLDERS)
def _list_cached(folder: ObjectLocation) -> _ObjectListing:
    try:
        return _ObjectListing(folder)
    except OSError as error:
        raise describe_write_error(folder, error, "list") from None


def describe_source_error(location: ObjectLocation, error: OSError) -> SourceError:
    """Say that an object or a folder of them cannot be read."""
    if isinstance(error, ConnectionError):
        return StoreUnreachable(
            f"{location} cannot be read: {error.strerror}; check the network and run again"
        )
    return SourceError(f"{location} cannot be read: {error.strerror}")
