"""Read the marks that a user has set in a report: accept, redo, and notes."""

import json
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from archive_colorizer.errors import UsageError
from archive_colorizer.records.paths import is_name

MARKS: Final = "marked.json"
KIND: Final = "archive-colorizer marks"
MAX_BYTES: Final = 64 << 20
"""A longer file is refused unread."""


class Mark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The mark of one file: `accept`, `redo` or empty."""

    name: str
    verdict: Literal["", "accept", "redo"] = msgspec.field(name="mark")
    note: Annotated[str, msgspec.Meta(max_length=10_000)] = ""


class _MarksFile(msgspec.Struct, forbid_unknown_fields=True):
    kind: str
    version: Literal[1]
    marks: tuple[Mark, ...]


def read_marks(path: Path) -> tuple[Mark, ...]:
    """Read a file of marks; raises UsageError when it is unreadable or invalid."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    try:
        return parse_marks(data)
    except ValueError as error:
        raise UsageError(
            f"{path} is not a file of marks: {error}; save one from a report"
        ) from None


def parse_marks(data: bytes) -> tuple[Mark, ...]:
    """Parse the JSON that a report writes; raises ValueError for anything else."""
    if len(data) > MAX_BYTES:
        raise ValueError("it is too long")
    try:
        # msgspec alone would refuse the surrogate escapes of names that are not UTF-8.
        raw = json.loads(data)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(raw, dict) or raw.get("kind") != KIND:
        raise ValueError(f'its "kind" is not "{KIND}"')
    try:
        marks = msgspec.convert(raw, _MarksFile).marks
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None
    if not all(is_name(mark.name) for mark in marks):
        raise ValueError("a mark names no file")
    if len({mark.name for mark in marks}) < len(marks):
        raise ValueError("a name is in it twice")
    return marks
