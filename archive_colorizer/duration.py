"""Durations as people write them: 90m, 2h, 1h30m, 7200."""

import re
from typing import Final

from archive_colorizer.errors import UsageError

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_NUMBER: Final = r"[0-9]+(?:\.[0-9]+)?"

PATTERN: Final = rf"^\s*(?:{_NUMBER}|(?:{_NUMBER}[smhdSMHD])+)\s*$"
"""What `seconds_of` takes, as a regular expression."""


def seconds_of(text: str) -> float:
    """Seconds; a number without a unit is seconds.  Raises UsageError for anything else."""
    if not re.search(PATTERN, text):
        raise UsageError(f"a time is written 90m, 2h, 1h30m or 7200 (seconds), not {text!r}")
    parts = re.findall(rf"({_NUMBER})([smhd])", text.lower())
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts else float(text)
