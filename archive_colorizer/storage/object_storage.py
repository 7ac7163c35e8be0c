"""Access objects in a store.

Questions about results are answered from the listing of their folder, of which the last few are
cached: a run asks for one file after the other in the order of their folders, and a request for
each would take a thousand times as long as a listing.
"""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from archive_colorizer.errors import SourceChanged, SourceError, StoreUnreachable
from archive_colorizer.location import ObjectLocation
from archive_colorizer.records.jobs import NO_STAMP, Stamp
from archive_colorizer.storage.atomic import describe_write_error
from archive_colorizer.storage.file_view import describe_change
from archive_colorizer.storage.filesystems import ObjectInfo
from archive_colorizer.storage.interface import Entry, EntryKind
from archive_colorizer.storage.object_access import open_store
from archive_colorizer.storage.temporary import make_temporary_folder

_CACHED_FOLDERS: Final = 8
"""Sources come depth first, and results lie in folders of the same names."""
_NO_NAMES: Final = frozenset(("", ".", ".."))


class _ObjectListing:
    """The objects and folders directly below a prefix; one request for each thousand."""

    def __init__(self, folder: ObjectLocation) -> None:
        with open_store(folder) as store:
            infos = sorted(store.list_folder(folder.path), key=lambda info: info.path.encode())
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
    """A location in a store.

    The methods that `Storage` does not have raise OSError, see `open_store`.
    """

    location: ObjectLocation

    def read(self, expected_stamp: Stamp | None = None) -> tuple[bytes, Stamp]:
        try:
            stamp = expected_stamp or self.read_info().stamp or NO_STAMP
            data = self.read_content()
        except OSError as error:
            raise self.describe_error(error) from None
        if len(data) != stamp.size:
            raise describe_change(self.location)
        return data, stamp

    def read_beginning(self, length: int, stamp: Stamp) -> bytes:
        return self.read_part(length, 0) if stamp.size else b""

    def check_unchanged(self, stamp: Stamp) -> None:
        try:
            current_stamp = self.read_info().stamp
        except FileNotFoundError:
            raise SourceChanged(f"{self.location} went away during its restoration") from None
        except OSError as error:
            raise self.describe_error(error) from None
        if current_stamp != stamp:
            raise SourceChanged(f"{self.location} was written to since it was listed; run again")

    def is_file(self) -> bool:
        try:
            return bool(self.location.key) and self.read_info().stamp is not None
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self.describe_error(error) from None

    def is_present(self) -> bool:
        return self.find_stamp() is not None

    def find_stamp(self) -> Stamp | None:
        with suppress(FileNotFoundError):
            return _list_cached(self.location.parent).inspect(self.location.name).stamp
        return None

    def read_fixity(self) -> tuple[Stamp, str] | None:
        try:
            before = self.read_info().stamp
            digest = hashlib.sha256(self.read_content()).hexdigest()
            after = self.read_info().stamp
        except OSError:
            return None
        return None if after is None or after != before else (after, digest)

    @staticmethod
    def forget_listings() -> None:
        """List folders again from here on."""
        _list_cached.cache_clear()

    def list_folder(self) -> _ObjectListing:
        return _ObjectListing(self.location)

    @contextmanager
    def copy_locally(self) -> Iterator[Path]:
        self.forget_listings()
        with make_temporary_folder() as folder:
            path = folder / self.location.name
            self.download(path)
            yield path

    def read_content(self) -> bytes:
        with open_store(self.location) as store:
            return store.read(self.location.path)

    def read_part(self, length: int, offset: int) -> bytes:
        """Read at most `length` bytes from `offset`; the object must not be empty."""
        with open_store(self.location) as store:
            return store.read_part(self.location.path, offset, offset + length)

    def read_info(self) -> ObjectInfo:
        """Read the object's stamp and our note on it, with one request."""
        with open_store(self.location) as store:
            return store.read_info(self.location.path)

    def put(self, data: bytes, note: str = "", *, new: bool = False) -> None:
        """Write the object, whole or not at all; `note` becomes its user metadata.

        new: raise FileExistsError when there is one already.
        """
        with open_store(self.location) as store:
            store.put(self.location.path, data, note, new)

    def remove(self) -> None:
        """Delete the object; a missing one is no error."""
        with suppress(FileNotFoundError), open_store(self.location) as store:
            store.remove(self.location.path)

    def download(self, path: Path) -> None:
        """Copy the object to a file without holding it in memory."""
        with open_store(self.location) as store:
            store.download(self.location.path, str(path))

    def upload(self, path: Path) -> None:
        """Copy a file to the object, whole or not at all, without holding it in memory."""
        with open_store(self.location) as store:
            store.upload(str(path), self.location.path)

    def describe_error(self, error: OSError) -> SourceError:
        """Say that the object, or a folder of them, cannot be read."""
        message = f"{self.location} cannot be read: {error.strerror}"
        if isinstance(error, ConnectionError):
            return StoreUnreachable(f"{message}; check the network and run again")
        return SourceError(message)


@lru_cache(maxsize=_CACHED_FOLDERS)
def _list_cached(folder: ObjectLocation) -> _ObjectListing:
    try:
        return _ObjectListing(folder)
    except OSError as error:
        raise describe_write_error(folder, error, "list") from None
