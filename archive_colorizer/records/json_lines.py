"""Write records as lines of JSON, and parse them strictly: the file may come from anyone."""

import json
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any, BinaryIO, Final, TypeAlias

import msgspec

from archive_colorizer.records.outcomes import Outcome, Provenance
from archive_colorizer.records.paths import from_recorded_name, is_name, is_target, to_recorded_name

Record: TypeAlias = Outcome | Provenance

MAX_LINE_BYTES = 4 << 20
"""Limits the memory that a malformed file can take; records are shorter."""


_MAX_DEPTH: Final = 8
"""Levels of lists and tables in a recorded setting; hue ranges have two."""
_MAX_INTEGER: Final = 2**53
"""Larger integers are not exact in JSON."""
_NO_PROVENANCE: Final[dict[str, object]] = {
    **{field.name: "" for field in fields(Provenance)},
    "command": (),
    "roots": (),
    "recipe": {},
    "libraries": {},
}
"""The fields that older versions did not write."""


class _Header(msgspec.Struct):
    kind: object = None


_decode_header = msgspec.json.Decoder(_Header).decode
_decode_outcome = msgspec.json.Decoder(Outcome).decode


def parse_record(line: bytes) -> Record:
    """Return the record on this line; raises ValueError when there is none."""
    return parse_outcome(line) or _parse_provenance(line)


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
    return outcome and _check_outcome(outcome)


def _check_outcome(outcome: Outcome) -> Outcome:
    outcome = _rename_files(outcome, from_recorded_name)
    if not all(map(is_name, (outcome.name, *(companion.name for companion in outcome.beside)))):
        raise ValueError("no name of a file")
    if outcome.target is not None and not is_target(outcome.target):
        raise ValueError("a target outside the output")
    if outcome.own is not None:
        _check_plain(outcome.own.settings)
    # Only the process that met an error knows its number.
    return outcome if outcome.errno is None else replace(outcome, errno=None)


def _parse_provenance(line: bytes) -> Provenance:
    try:
        provenance = msgspec.convert({**_NO_PROVENANCE, **json.loads(line)}, Provenance)
    except RecursionError:
        raise ValueError("nested too deep") from None
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None
    provenance = _rename_roots(provenance, from_recorded_name)
    if not all(map(is_name, provenance.roots)):
        raise ValueError("no path of a folder")
    _check_plain(provenance.recipe)
    return provenance


def _check_plain(value: object, depth: int = 0) -> None:
    """Raise ValueError for a setting that readers of JSON, or the decoders it is for, choke on."""
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deep")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("no finite number")
    if isinstance(value, int) and abs(value) > _MAX_INTEGER:
        raise ValueError("no exact number")
    for item in value.values() if isinstance(value, dict) else ():
        _check_plain(item, depth + 1)
    for item in value if isinstance(value, list | tuple) else ():
        _check_plain(item, depth + 1)


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


def to_line(record: Record) -> bytes:
    """Return the record as a line of ASCII JSON; surrogate escapes in names survive."""
    if isinstance(record, Outcome):
        kind, values = "outcome", _to_dict(_rename_files(record, to_recorded_name))
    else:
        kind, values = "provenance", _to_dict(_rename_roots(record, to_recorded_name))
    values.pop("errno", None)
    return json.dumps({"kind": kind, **values}, default=_to_dict).encode("ascii") + b"\n"


def _rename_files(outcome: Outcome, convert: Callable[[str], str]) -> Outcome:
    """Convert the names of files in an outcome."""
    if sys.getfilesystemencoding() == "utf-8":
        return outcome
    beside = tuple(replace(other, name=convert(other.name)) for other in outcome.beside)
    target = None if outcome.target is None else convert(outcome.target)
    return replace(outcome, name=convert(outcome.name), target=target, beside=beside)


def _rename_roots(provenance: Provenance, convert: Callable[[str], str]) -> Provenance:
    return replace(provenance, roots=tuple(map(convert, provenance.roots)))


def _to_dict(record: Any) -> dict[str, object]:
    """Return the fields without copies, ten times as fast as `dataclasses.asdict`."""
    return {name: getattr(record, name) for name in record.__slots__}
