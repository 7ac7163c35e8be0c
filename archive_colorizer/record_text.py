"""Records as text: the lines of manifests and journals."""

import json
from typing import Any

from archive_colorizer.records.jobs import Outcome, Provenance


def to_line(record: Outcome | Provenance) -> bytes:
    """One line of JSON, ASCII, with its newline; surrogate escapes in names survive."""
    kind = "outcome" if isinstance(record, Outcome) else "provenance"
    return json.dumps({"kind": kind, **_plain(record)}, default=_plain).encode("ascii") + b"\n"


def _plain(record: Any) -> dict[str, object]:
    """As `dataclasses.asdict`, which copies everything and takes ten times as long."""
    return {name: getattr(record, name) for name in record.__slots__}
