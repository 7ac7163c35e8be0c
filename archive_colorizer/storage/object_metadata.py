"""Notes: what a result in a store tells of itself, as user metadata of its object.

A result and its note appear together, so that a run that was killed before it could record
the result loses nothing: the next run reads the line of the manifest from the object.
"""

import base64
import binascii
import json
import zlib
from dataclasses import asdict, replace
from typing import Any, Final

from archive_colorizer.records.outcomes import Outcome

_LONGEST: Final = 1800
"""Bytes; S3 takes 2,048 of names and values together."""
_LONGEST_LINE: Final = 1 << 16
_LEFT_OUT: Final = "the warnings of this result were too long to be kept beside it"


def note_of(outcome: Outcome) -> str:
    """The outcome as ASCII that a store takes; warnings and measures go when it is too long."""
    short = replace(outcome, warnings=(_LEFT_OUT,), measures=None)
    notes = (_packed(one) for one in (outcome, short))
    return next((note for note in notes if len(note) <= _LONGEST), "")


def line_of(note: str | None) -> bytes | None:
    """The line of a manifest that a note holds, not looked at yet; None for what is no note."""
    if not note or len(note) > 2 * _LONGEST:
        return None
    try:
        unpacking = zlib.decompressobj()
        line = unpacking.decompress(base64.b64decode(note, validate=True), _LONGEST_LINE)
    except (binascii.Error, zlib.error, ValueError):
        return None
    return line if unpacking.eof else None


def facts_of(note: str | None) -> dict[str, Any]:
    """What stands in a note; empty for what is no note."""
    try:
        facts = json.loads(line_of(note) or b"{}")
    except (ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _packed(outcome: Outcome) -> str:
    facts = {key: value for key, value in asdict(outcome).items() if value not in (None, ())}
    line = json.dumps({"kind": "outcome", **facts}).encode("ascii")
    return base64.b64encode(zlib.compress(line, 9)).decode("ascii")
