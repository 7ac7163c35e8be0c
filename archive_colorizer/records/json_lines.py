"""Write records as lines of JSON, and parse them strictly: the file may come from anyone."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, BinaryIO, TypeAlias

import msgspec

from archive_colorizer.records.outcomes import Outcome, Provenance
from archive_colorizer.records.paths import is_name, is_target

Record: TypeAlias = Outcome | Provenance

MAX_LINE_BYTES = 4 << 20
"""Limits the memory that a malformed file can take; records are shorter."""


class _Header(msgspec.Struct):
    kind: object = None


_decode_header = msgspec.json.Decoder(_Header).decode
_decode_outcome = msgspec.json.Decoder(Outcome).decode


def parse_outcome(line: bytes) -> Outcome | None:
    """Return the Outcome on this line, or None for a Provenance.

    Raises ValueError for everything else.
    """
    try:
        try:
            kind = _decode_header(line).kind
            outcome = _decode_outcome(line) if kind == "outcome" else None
        except msgspec.DecodeError:
            # msgspec refuses the surrogate escapes of names that are not UTF-8; json takes them.
            raw = json.loads(line)
            kind = raw.get("kind") if isinstance(raw, dict) else None
            outcome = msgspec.convert(raw, Outcome) if kind == "outcome" else None
    except RecursionError:
        raise ValueError("nested too deep") from None
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None
    if outcome is None and kind != "provenance":
        raise ValueError("no record")
    return outcome and _check_names(outcome)


def _check_names(outcome: Outcome) -> Outcome:
    if not all(map(is_name, (outcome.name, *(companion.name for companion in outcome.beside)))):
        raise ValueError("no name of a file")
    if outcome.target is not None and not is_target(outcome.target):
        raise ValueError("a target outside the output")
    # Only the process that met an error knows its number.
    return outcome if outcome.errno is None else replace(outcome, errno=None)


def iter_lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield offset and content of each line; a line that is too long becomes an empty one.

    If the last line is torn, it has no newline.
    """
    offset = 0
    while line := stream.readline(MAX_LINE_BYTES):
        start, offset = offset, offset + len(line)
        if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            while rest := stream.readline(MAX_LINE_BYTES):
                offset += len(rest)
                if rest.endswith(b"\n"):
                    break
            line = b"\n"
        yield start, line


def to_line(record: Outcome | Provenance) -> bytes:
    """Return the record as a line of ASCII JSON; surrogate escapes in names survive."""
    kind = "outcome" if isinstance(record, Outcome) else "provenance"
    values = _to_dict(record)
    values.pop("errno", None)
    return json.dumps({"kind": kind, **values}, default=_to_dict).encode("ascii") + b"\n"


def _to_dict(record: Any) -> dict[str, object]:
    """Return the fields without copies, ten times as fast as `dataclasses.asdict`."""
    return {name: getattr(record, name) for name in record.__slots__}
