"""One interface for what lies on a disk and what lies in an object store."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, TypeAlias

from archive_colorizer.records.jobs import Stamp

EntryKind: TypeAlias = Literal["file", "folder", "link", "special", "bad-key"]


class Entry(NamedTuple):
    """What stands below a folder; the folders of an object store have no stamp."""

    kind: EntryKind
    stamp: Stamp | None


class Listing(Protocol):
    """The names directly below a folder, in the order of their bytes.

    The name of a folder in an object store ends in a slash, because an object may have the same.
    """

    names: list[str]

    def inspect(self, name: str) -> Entry:
        """Describe what has this name now, without following a link; raises OSError."""


class Storage(Protocol):
    """Access to one location.  Both implementations pass tests/storage/test_conformance.py."""

    def read(self, expected_stamp: Stamp | None = None) -> tuple[bytes, Stamp]:
        """Read the whole content of a file or an object, and its stamp.

        expected_stamp: the stamp that an object had when it was listed, which saves a request;
        `check_unchanged` must confirm it afterwards.  Raises SourceError when it cannot be read
        or is no regular file, StoreUnreachable, and SourceChanged when it grew or shrank.
        """

    def read_beginning(self, length: int, stamp: Stamp) -> bytes:
        """Read at most `length` bytes; raises OSError."""

    def check_unchanged(self, stamp: Stamp) -> None:
        """Raise SourceChanged when the stamp is another now."""

    def is_file(self) -> bool:
        """Whether a file or an object is here; raises SourceError when a store cannot tell."""

    def is_present(self) -> bool:
        """Whether anything has this name, including a broken link; see `find_stamp`."""

    def find_stamp(self) -> Stamp | None:
        """Find the stamp of a regular file or an object.

        Objects are answered from the latest listing of their folder.  Raises OutputError when
        that cannot be listed.
        """

    def read_fixity(self) -> tuple[Stamp, str] | None:
        """Stamp and sha256; None when it cannot be read or changes meanwhile."""

    def list_folder(self) -> Listing:
        """List a folder; raises OSError.  An empty prefix of a store has no names."""

    def copy_locally(self) -> AbstractContextManager[Path]:
        """The path of the file, or of a temporary copy of the object; raises OSError."""
