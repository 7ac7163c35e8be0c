"""Photographs by number: an index of where they lie, and their bytes in memory or on disk."""

import re
import sys
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
class Span:
    """Bytes of a file: `size` of them from `start`."""

    path: str
    start: int
    size: int

    def read(self) -> bytes:
        """They.  Raises SourceError when they are no longer there."""
        try:
            with Path(self.path).open("rb") as stream:
                stream.seek(self.start)
                found = stream.read(self.size)
        except OSError as error:
            raise SourceError(f"{self.path}: cannot be read ({error.strerror})") from None
        if len(found) < self.size:
            raise SourceError(f"{self.path}: has become shorter; leave --data alone in training")
        return found


@dataclass(frozen=True, slots=True)
class Photo:
    """A compressed color photograph; `source` is the tar or the folder it came from."""

    source: str
    name: str
    stored: bytes | Span = field(compare=False, repr=False)

    @property
    def group(self) -> str:
        """What must stay on one side of the validation split.

        Names in one folder that differ only in a number at the end (frames, versions,
        crops of one scene) are one group.
        """
        path = PurePosixPath(self.name)
        return str(path.with_name(re.sub(r"[-_. ]+\(?\d+\)?$", "", path.stem)))

    @property
    def content(self) -> bytes:
        """The compressed bytes, read when they are not in memory.  Raises SourceError."""
        return self.stored if isinstance(self.stored, bytes) else self.stored.read()


class _Words:
    """Words that are named again and again, by number."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, word: str) -> int:
        if word not in self._numbers:
            self._numbers[word] = len(self.words)
            self.words.append(word)
        return self._numbers[word]


class Photos(Sequence[Photo]):
    """An index of photographs that costs some 40 bytes and the name for each.

    `held_bytes`: the size of those photographs that are in memory.  What can be read again
    from its place is not pickled: another process reads it itself.
    """

    def __init__(self) -> None:
        self._sources, self._roots = _Words(), _Words()
        self._source, self._root, self._order = array("I"), array("I"), array("I")
        self._start, self._size, self._end = array("Q"), array("Q"), array("Q")
        self._names = bytearray()
        self._held: dict[int, bytes] = {}
        self.held_bytes = 0

    def add_span(self, source: str, name: str, span: Span) -> None:
        """A photograph inside of a file."""
        self._add(source, name, span.path, (span.start, span.size))

    def add_file(self, source: str, name: str, folder: str, size: int) -> None:
        """A photograph that is the file `name` of `folder`."""
        self._add(source, name, folder, (_WHOLE_FILE, size))

    def add_content(self, source: str, name: str, content: bytes) -> None:
        """A photograph that cannot be read again, and stays in memory."""
        self._keep(len(self._size), content)
        self._add(source, name, "", (_MEMORY_ONLY, len(content)))

    def _add(self, source: str, name: str, root: str, place: tuple[int, int]) -> None:
        self._source.append(self._sources.number(source))
        self._root.append(self._roots.number(root))
        self._start.append(place[0])
        self._size.append(place[1])
        self._names += name.encode(*_ENCODING)
        self._end.append(len(self._names))
        self._order.append(len(self._order))

    def sort(self) -> None:
        """Order by source, then by name."""
        rows: dict[int, list[int]] = {}
        for row, source in enumerate(self._source):
            rows.setdefault(source, []).append(row)
        self._order = array("I")
        for source in sorted(rows, key=self._sources.words.__getitem__):
            self._order.extend(sorted(rows[source], key=self._name))

    def hold(self, most: int) -> bool:
        """Read all photographs into memory if they take no more than `most` bytes together.

        Raises SourceError when one cannot be read.
        """
        if self.total_bytes > most:
            return False
        for row in range(len(self._size)):
            if row not in self._held:
                self._keep(row, self._span(row).read())
        return True

    def _keep(self, row: int, content: bytes) -> None:
        self._held[row] = content
        self.held_bytes += len(content)

    @property
    def total_bytes(self) -> int:
        """The size of all photographs, wherever they are."""
        return sum(self._size)

    @property
    def index_bytes(self) -> int:
        """What the index itself takes in memory."""
        columns = (self._source, self._root, self._order, self._start, self._size, self._end)
        return sum(map(sys.getsizeof, (*columns, self._names)))

    def _name(self, row: int) -> bytes:
        return bytes(self._names[self._end[row - 1] if row else 0 : self._end[row]])

    def _span(self, row: int) -> Span:
        root, start = self._roots.words[self._root[row]], self._start[row]
        if start != _WHOLE_FILE:
            return Span(root, start, self._size[row])
        return Span(str(Path(root) / self._name(row).decode(*_ENCODING)), 0, self._size[row])

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, index: int) -> Photo: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Photo]: ...
    def __getitem__(self, index: int | slice) -> Photo | Sequence[Photo]:
        if isinstance(index, slice):
            return Part(self, range(len(self))[index])
        row = self._order[index]
        source = self._sources.words[self._source[row]]
        stored = self._held.get(row) or self._span(row)
        return Photo(source, self._name(row).decode(*_ENCODING), stored)

    def __getstate__(self) -> dict[str, Any]:
        own = {row: held for row, held in self._held.items() if self._start[row] == _MEMORY_ONLY}
        return self.__dict__ | {"_held": own, "held_bytes": sum(map(len, own.values()))}


class Part(Sequence[Photo]):
    """Some of many photographs, by their numbers; it costs four bytes for each."""

    def __init__(self, photos: Sequence[Photo], numbers: Iterable[int]) -> None:
        self._photos = photos
        self._numbers: npt.NDArray[np.uint32] = np.fromiter(numbers, np.uint32)

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> Photo: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Photo]: ...
    def __getitem__(self, index: int | slice) -> Photo | Sequence[Photo]:
        if isinstance(index, slice):
            return Part(self._photos, self._numbers[index])
        return self._photos[int(self._numbers[index])]
