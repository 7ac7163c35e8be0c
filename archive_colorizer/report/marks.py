"""Marks that a person has set in a report: accepted, to be made again, with a note."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from archive_colorizer.errors import UsageError
from archive_colorizer.records.paths import is_name

KIND: Final = "archive-colorizer marks"
LARGEST: Final = 64 << 20
"""Bytes; a longer file is refused unread."""

_VERSION: Final = 1
_WORDS: Final = frozenset({"", "accept", "redo"})
_LONGEST_NOTE: Final = 10_000


@dataclass(frozen=True, slots=True)
class Mark:
    """What somebody thinks of one file: mark is `accept`, `redo` or empty."""

    name: str
    mark: str
    note: str = ""


def read_marks(path: Path) -> tuple[Mark, ...]:
    """The marks in a file; raises UsageError when it cannot be read or is not such a file."""
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    try:
        return marks_of(data)
    except ValueError as error:
        raise UsageError(f"{path} is no file of marks: {error}; save one from a report") from None


def marks_of(data: bytes) -> tuple[Mark, ...]:
    """The marks in JSON as a report writes it; raises ValueError for anything else."""
    if len(data) > LARGEST:
        raise ValueError("it is too long")
    try:
        raw = json.loads(data)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(raw, dict) or raw.get("kind") != KIND:
        raise ValueError(f'its "kind" is not "{KIND}"')
    if raw.get("version") != _VERSION or set(raw) != {"kind", "version", "marks"}:
        raise ValueError("it has another version or other parts")
    if not isinstance(raw["marks"], list):
        raise ValueError('its "marks" are no list')
    marks = tuple(_mark(one) for one in raw["marks"])
    if len({one.name for one in marks}) < len(marks):
        raise ValueError("a name stands in it twice")
    return marks


def _mark(raw: object) -> Mark:
    if not isinstance(raw, dict) or not {"name", "mark"} <= set(raw) <= {"name", "mark", "note"}:
        raise ValueError("a mark has a name, a mark and at most a note")
    name, mark, note = raw["name"], raw["mark"], raw.get("note", "")
    if not (isinstance(name, str) and is_name(name)):
        raise ValueError("a mark names no file")
    if not isinstance(mark, str) or mark not in _WORDS:
        raise ValueError("a mark is accept, redo or empty")
    if not isinstance(note, str) or len(note) > _LONGEST_NOTE:
        raise ValueError(f"a note is text of at most {_LONGEST_NOTE} characters")
    return Mark(name, mark, note)
