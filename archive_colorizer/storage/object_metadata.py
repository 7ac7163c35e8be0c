"""Encode an outcome as user metadata of its object.

A result and this note appear together, so that a run that was killed before it could record
the result loses nothing: the next run reads the line of the manifest from the object.
"""

import base64
import binascii
import json
import zlib
from dataclasses import asdict, replace
from typing import Any, Final

from archive_colorizer.records.outcomes import Outcome

_NOTE_LENGTH: Final = 1800
"""Bytes; S3 allows 2,048 for names and values together."""
_LINE_LENGTH: Final = 1 << 16
_DROPPED_WARNINGS: Final = "the warnings of this result were too long to be stored with it"


def encode_outcome(outcome: Outcome) -> str:
    """Encode the outcome as ASCII; drops warnings and measures when it is too long."""
    short = replace(outcome, warnings=(_DROPPED_WARNINGS,), measures=None)
    notes = (_pack(version) for version in (outcome, short))
    return next((note for note in notes if len(note) <= _NOTE_LENGTH), "")


def decode_line(note: str | None) -> bytes | None:
    """Decode a line of a manifest, unchecked; None when the note is not valid."""
    if not note or len(note) > 2 * _NOTE_LENGTH:
        return None
    try:
        unpacking = zlib.decompressobj()
        line = unpacking.decompress(base64.b64decode(note, validate=True), _LINE_LENGTH)
    except (binascii.Error, zlib.error, ValueError):
        return None
    return line if unpacking.eof else None


def decode_facts(note: str | None) -> dict[str, Any]:
    """Decode the fields of a note; empty when it is not valid."""
    try:
        facts = json.loads(decode_line(note) or b"{}")
    except (ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _pack(outcome: Outcome) -> str:
    facts = {key: value for key, value in asdict(outcome).items() if value not in (None, ())}
    line = json.dumps({"kind": "outcome", **facts}).encode("ascii")
    return base64.b64encode(zlib.compress(line, 9)).decode("ascii")
