"""Named values with types and bounds, of which some change pixels and so have a digest."""

import difflib
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from functools import lru_cache
from typing import Any, Final, Self, cast

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


def pixels(
    default: Any,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    *,
    later: bool = False,
    rows: "type[Settings] | None" = None,
) -> Any:
    """A setting that changes the result and therefore the digest.

    later: it came after results had been made without it, so that at its default it leaves
    their digest as it was.  rows: the setting is a tuple of these, `[[name]]` in TOML.
    """
    bounds = {"pixels": True, "low": low, "high": high, "choices": choices, "later": later}
    return field(default=default, metadata={**bounds, "rows": rows})


def key_of(one: Field[Any]) -> str:
    """What a setting is called in TOML: words of Python, as `from`, have a line below in code."""
    return one.name.removesuffix("_")


def running(
    default: Any,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A setting that changes only how the work is done."""
    bounds = {"pixels": False, "low": low, "high": high, "choices": choices}
    return field(default=default, metadata=bounds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Named values with bounds, of which some change the result."""

    def __post_init__(self) -> None:
        for one in fields(self):
            _check(key_of(one), getattr(self, one.name), one.default, one.metadata)

    def digest(self) -> str:
        """sha256 over the settings that change pixels; the model has a digest of its own."""
        return _digest_of(self)

    def _digest(self) -> str:
        plain = self.as_dict()
        chosen = {key_of(one): plain[key_of(one)] for one in fields(self) if self._counts(one)}
        return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()

    def _counts(self, one: Field[Any]) -> bool:
        is_new = one.metadata.get("later") and getattr(self, one.name) == one.default
        return bool(one.metadata["pixels"] and not is_new)

    def as_dict(self) -> dict[str, object]:
        """All settings as plain values by their names in TOML, for the manifest."""
        return {key_of(one): plain_of(getattr(self, one.name)) for one in fields(self)}

    @classmethod
    def of(cls, given: object, origin: str) -> Self:
        """Settings of one table; raises UsageError as `changed` does."""
        if not isinstance(given, Mapping):
            raise UsageError(f"{origin} must be a table, not {given!r}")
        return cls().changed(given, origin)

    def changed(self, given: Mapping[str, object], origin: str) -> Self:
        """These settings with the settings of `given`; `origin` names them in errors.

        Raises UsageError for an unknown key (naming the nearest known one) and for a value
        of the wrong type or out of bounds.
        """
        known = {key_of(one): one for one in fields(self)}
        reject_unknown(given, list(known), origin)
        try:
            values: dict[str, Any] = {
                known[key].name: self._widened(known[key], value) for key, value in given.items()
            }
            return replace(self, **values)
        except UsageError as error:
            raise UsageError(f"{origin}: {error}") from None

    def _widened(self, one: Field[Any], value: object) -> object:
        """TOML writes 1 for 1.0: a float setting takes both.

        A rate is kept as written, and a time budget may have units.
        """
        rows: type[Settings] | None = one.metadata.get("rows")
        if rows is not None and isinstance(value, list | tuple):
            return tuple(
                row if isinstance(row, rows) else rows.of(row, f"[[{one.name}]]") for row in value
            )
        if one.name == "time_budget" and isinstance(value, str):
            return seconds_of(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return value
        if one.name == "rate":
            return str(value)
        return float(value) if isinstance(one.default, float) else value


def plain_of(value: object) -> object:
    """A setting's value as TOML and JSON hold it."""
    if isinstance(value, tuple):
        return [row.as_dict() if isinstance(row, Settings) else row for row in value]
    return value


def reject_unknown(given: Mapping[str, object], known: Sequence[str], origin: str) -> None:
    """Raise UsageError for a key that is not among `known`; it names the nearest one."""
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
            raise UsageError(f"{origin}: unknown setting {key!r}{hint}")


@lru_cache(maxsize=64)
def _digest_of(settings: Settings) -> str:
    """Once, not for every file."""
    return settings._digest()


def _check(name: str, value: object, default: object, bounds: Mapping[str, Any]) -> None:
    if type(value) is not type(default):
        wanted = f"tables, [[{name}]]" if default == () else type(default).__name__
        raise UsageError(f"{name} must be {wanted}, not {value!r}")
    choices, low, high = bounds.get("choices"), bounds.get("low"), bounds.get("high")
    if choices and value not in choices:
        raise UsageError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
    # "not (value >= low)" and not "value < low": NaN is out of bounds, too.
    too_low = low is not None and not cast(float, value) >= low
    too_high = high is not None and not cast(float, value) <= high
    if too_low or too_high:
        limit = f"at least {low:g}" if high is None else f"between {low:g} and {high:g}"
        raise UsageError(f"{name} must be {limit}, not {value!r}")
