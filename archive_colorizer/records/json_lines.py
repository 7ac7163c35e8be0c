"""Records as lines of JSON, and back: strict, since anybody may have written the file."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any, BinaryIO, TypeAlias, TypeVar, cast, get_args

from archive_colorizer.records.jobs import Companion, Own, Role, Stamp
from archive_colorizer.records.outcomes import Measures, Outcome, Provenance, State
from archive_colorizer.records.paths import is_name, is_target

Record: TypeAlias = Outcome | Provenance


LONGEST_LINE = 4 << 20
"""Bytes; no record of ours is longer, and nobody can make us read a longer one at once."""


_T = TypeVar("_T")


_STAMP = tuple(one.name for one in fields(Stamp))


_MEASURES = tuple(one.name for one in fields(Measures))


def outcome_of(line: bytes) -> Outcome | None:
    """The Outcome on this line, or None for a Provenance.

    Raises ValueError for everything else.
    """
    try:
        raw = json.loads(line)
    except RecursionError:
        raise ValueError("nested too deep") from None
    kind = raw.get("kind") if isinstance(raw, dict) else None
    if kind == "provenance":
        return None
    if kind != "outcome":
        raise ValueError("no record")
    return _outcome(raw)


def lines_of(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Offset and content of each line; one that is too long comes as an empty one.

    The last line comes without newline when it is torn.
    """
    offset = 0
    while line := stream.readline(LONGEST_LINE):
        start, offset = offset, offset + len(line)
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            while rest := stream.readline(LONGEST_LINE):
                offset += len(rest)
                if rest.endswith(b"\n"):
                    break
            line = b"\n"
        yield start, line


def _outcome(raw: dict[str, Any]) -> Outcome:
    """Field by field, so that a record never holds what its type does not say."""
    return Outcome(
        key=_text(raw.get("key")),
        name=_name(raw.get("name")),
        state=State(_text(raw.get("state"))),
        source_stamp=_maybe(raw.get("source_stamp"), _stamp),
        source_sha256=_maybe(raw.get("source_sha256"), _text),
        target=_maybe(raw.get("target"), _target),
        target_stamp=_maybe(raw.get("target_stamp"), _stamp),
        target_sha256=_maybe(raw.get("target_sha256"), _text),
        sidecar_sha256=_maybe(raw.get("sidecar_sha256"), _text),
        reason=_maybe(raw.get("reason"), _text),
        message=_maybe(raw.get("message"), _text),
        warnings=_texts(raw.get("warnings", [])),
        weak=_texts(raw.get("weak", [])),
        measures=_maybe(raw.get("measures"), _measures),
        model_sha256=_maybe(raw.get("model_sha256"), _text),
        settings=_maybe(raw.get("settings"), _text),
        own=_maybe(raw.get("own"), _own),
        provider=_maybe(raw.get("provider"), _text),
        width=_maybe(raw.get("width"), _whole),
        height=_maybe(raw.get("height"), _whole),
        beside=_companions(raw.get("beside", [])),
        frames=_maybe(raw.get("frames"), _whole),
        first=_maybe(raw.get("first"), _whole),
        seconds=_number(raw.get("seconds", 0.0)),
    )


def _maybe(value: object, read: Callable[[object], _T]) -> _T | None:
    return None if value is None else read(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"no text: {value!r:.40}")
    return value


def _name(value: object) -> str:
    if not is_name(_text(value)):
        raise ValueError("no name of a file")
    return _text(value)


def _target(value: object) -> str:
    if not is_target(_text(value)):
        raise ValueError("a target outside the output")
    return _text(value)


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError("no list")
    return tuple(_text(one) for one in value)


def _companions(value: object) -> tuple[Companion, ...]:
    if not isinstance(value, list):
        raise ValueError("no list")
    return tuple(_companion(one) for one in value)


def _companion(value: object) -> Companion:
    role = value.get("role") if isinstance(value, dict) else None
    if not isinstance(value, dict) or role not in get_args(Role):
        raise ValueError("no file beside a photograph")
    return Companion(
        role=cast(Role, role),
        name=_name(value.get("name")),
        stamp=_maybe(value.get("stamp"), _stamp),
        sha256=_maybe(value.get("sha256"), _text),
    )


def _whole(value: object) -> int:
    if type(value) is not int:
        raise ValueError(f"no whole number: {value!r:.40}")
    return value


def _number(value: object) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):  # type: ignore[arg-type]
        raise ValueError(f"no number: {value!r:.40}")
    return float(value)  # type: ignore[arg-type]


def _stamp(value: object) -> Stamp:
    if not isinstance(value, dict):
        raise ValueError("no stamp")
    return Stamp(*(_whole(value.get(name)) for name in _STAMP))


def _own(value: object) -> Own:
    if not isinstance(value, dict) or not isinstance(value.get("settings"), dict):
        raise ValueError("no settings of its own")
    return Own(_texts(value.get("names")), value["settings"], _text(value.get("run")))


def _measures(value: object) -> Measures:
    if not isinstance(value, dict):
        raise ValueError("no measures")
    numbers = {name: _number(value.get(name)) for name in _MEASURES if name != "skin"}
    return Measures(**numbers, skin=_maybe(value.get("skin"), _number))


def to_line(record: Outcome | Provenance) -> bytes:
    """One line of JSON, ASCII, with its newline; surrogate escapes in names survive."""
    kind = "outcome" if isinstance(record, Outcome) else "provenance"
    return json.dumps({"kind": kind, **_plain(record)}, default=_plain).encode("ascii") + b"\n"


def _plain(record: Any) -> dict[str, object]:
    """As `dataclasses.asdict`, which copies everything and takes ten times as long."""
    return {name: getattr(record, name) for name in record.__slots__}
