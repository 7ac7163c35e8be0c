"""Store photographs by number: an index of their locations, and bytes in memory or on disk."""

import re
import sys
from abc import abstractmethod
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from archive_colorizer.errors import SourceError

_WHOLE_FILE = 2**64 - 1
_MEMORY_ONLY = 2**64 - 2
_ENCODING = ("utf-8", "surrogateescape")  # file names need not be text


@dataclass(frozen=True, slots=True)
class FileSlice:
    """Locate `size` bytes of a file from `start`."""

    path: str
    start: int
    size: int

    def read(self) -> bytes:
        """Read the bytes; raises SourceError when they are no longer there."""
        try:
            with Path(self.path).open("rb") as stream:
                stream.seek(self.start)
                content = stream.read(self.size)
        except OSError as error:
            raise SourceError(f"{self.path}: cannot be read ({error.strerror})") from None
        if len(content) < self.size:
            raise SourceError(f"{self.path}: has become shorter; leave --data alone in training")
        return content


@dataclass(frozen=True, slots=True)
class TrainingPhoto:
    """Hold or locate a compressed color photograph; `source` is its tar or folder."""

    source: str
    name: str
    storage: bytes | FileSlice = field(compare=False, repr=False)

    @property
    def group(self) -> str:
        """Name of the group that the validation split keeps together.

        Names in one folder that differ only in a final number (frames, versions, crops of one
        scene) form one group.
        """
        path = PurePosixPath(self.name)
        return str(path.with_name(re.sub(r"[-_. ]+\(?\d+\)?$", "", path.stem)))

    @property
    def content(self) -> bytes:
        """The compressed bytes, from memory or disk.  Raises SourceError."""
        return self.storage if isinstance(self.storage, bytes) else self.storage.read()


class _StringTable:
    """Number strings that occur repeatedly."""

    def __init__(self) -> None:
        self.strings: list[str] = []
        self._numbers: dict[str, int] = {}

    def get_number(self, word: str) -> int:
        if word not in self._numbers:
            self._numbers[word] = len(self.strings)
            self.strings.append(word)
        return self._numbers[word]


class _PhotoSequence(Sequence[TrainingPhoto]):
    """A sequence whose slices are subsets."""

    @abstractmethod
    def _get(self, index: int) -> TrainingPhoto: ...
    @overload
    def __getitem__(self, index: int) -> TrainingPhoto: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[TrainingPhoto]: ...
    def __getitem__(self, index: int | slice) -> TrainingPhoto | Sequence[TrainingPhoto]:
        if isinstance(index, slice):
            return PhotoSubset(self, range(len(self))[index])
        return self._get(index)


class PhotoIndex(_PhotoSequence):
    """Index photographs at about 40 bytes and the name for each.

    memory_bytes: the size of the photographs in memory.  Bytes that can be read again are not
    pickled: another process reads them itself.
    """

    def __init__(self) -> None:
        self._sources, self._roots = _StringTable(), _StringTable()
        self._source, self._root, self._order = array("I"), array("I"), array("I")
        self._start, self._size, self._end = array("Q"), array("Q"), array("Q")
        self._names = bytearray()
        self._contents: dict[int, bytes] = {}
        self.memory_bytes = 0

    def add_slice(self, source: str, name: str, span: FileSlice) -> None:
        """Add a photograph inside a file."""
        self._add(source, name, span.path, (span.start, span.size))

    def add_file(self, source: str, name: str, folder: str, size: int) -> None:
        """Add a photograph that is the file `name` of `folder`."""
        self._add(source, name, folder, (_WHOLE_FILE, size))

    def add_content(self, source: str, name: str, content: bytes) -> None:
        """Add a photograph that cannot be read again, so that it stays in memory."""
        self._store(len(self._size), content)
        self._add(source, name, "", (_MEMORY_ONLY, len(content)))

    def _add(self, source: str, name: str, root: str, extent: tuple[int, int]) -> None:
        self._source.append(self._sources.get_number(source))
        self._root.append(self._roots.get_number(root))
        self._start.append(extent[0])
        self._size.append(extent[1])
        self._names += name.encode(*_ENCODING)
        self._end.append(len(self._names))
        self._order.append(len(self._order))

    def sort(self) -> None:
        """Sort by source, then by name."""
        rows: dict[int, list[int]] = {}
        for row, source in enumerate(self._source):
            rows.setdefault(source, []).append(row)
        self._order = array("I")
        for source in sorted(rows, key=self._sources.strings.__getitem__):
            self._order.extend(sorted(rows[source], key=self._name))

    def load_into_memory(self, limit: int) -> bool:
        """Read all photographs into memory if they take at most `limit` bytes.

        Raises SourceError when one cannot be read.
        """
        if self.total_bytes > limit:
            return False
        for row in range(len(self._size)):
            if row not in self._contents:
                self._store(row, self._get_slice(row).read())
        return True

    def _store(self, row: int, content: bytes) -> None:
        self._contents[row] = content
        self.memory_bytes += len(content)

    @property
    def total_bytes(self) -> int:
        """Size of all photographs, in memory or on disk."""
        return sum(self._size)

    @property
    def index_bytes(self) -> int:
        """Memory of the index itself."""
        columns = (self._source, self._root, self._order, self._start, self._size, self._end)
        return sum(map(sys.getsizeof, (*columns, self._names)))

    def _name(self, row: int) -> bytes:
        return bytes(self._names[self._end[row - 1] if row else 0 : self._end[row]])

    def _get_slice(self, row: int) -> FileSlice:
        root, start = self._roots.strings[self._root[row]], self._start[row]
        if start != _WHOLE_FILE:
            return FileSlice(root, start, self._size[row])
        return FileSlice(str(Path(root) / self._name(row).decode(*_ENCODING)), 0, self._size[row])

    def __len__(self) -> int:
        return len(self._order)

    def _get(self, index: int) -> TrainingPhoto:
        row = self._order[index]
        source = self._sources.strings[self._source[row]]
        stored = self._contents.get(row) or self._get_slice(row)
        return TrainingPhoto(source, self._name(row).decode(*_ENCODING), stored)

    def __getstate__(self) -> dict[str, Any]:
        contents = {row: c for row, c in self._contents.items() if self._start[row] == _MEMORY_ONLY}
        size = sum(map(len, contents.values()))
        return self.__dict__ | {"_contents": contents, "memory_bytes": size}


class PhotoSubset(_PhotoSequence):
    """Select photographs by number, at four bytes for each."""

    def __init__(self, photos: Sequence[TrainingPhoto], numbers: Iterable[int]) -> None:
        self._photos = photos
        self._numbers: npt.NDArray[np.uint32] = np.fromiter(numbers, np.uint32)

    def __len__(self) -> int:
        return len(self._numbers)

    def _get(self, index: int) -> TrainingPhoto:
        return self._photos[int(self._numbers[index])]
