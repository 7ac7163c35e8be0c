"""Declare settings with types and bounds; those that change pixels have a digest."""

import difflib
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from functools import lru_cache
from typing import Any, Final, Literal, Self, TypeAlias, get_args, get_origin

from archive_colorizer.errors import UsageError

Bound: TypeAlias = float | None

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_NUMBER: Final = r"[0-9]+(?:\.[0-9]+)?"
DURATION_PATTERN: Final = rf"^\s*(?:{_NUMBER}|(?:{_NUMBER}[smhdSMHD])+)\s*$"
"""Regular expression of a time with or without units."""


def _parse_duration(text: str) -> float:
    """Return seconds; a number without a unit is seconds.  Raises UsageError."""
    if not re.search(DURATION_PATTERN, text):
        raise UsageError(f"a time is written 90m, 2h, 1h30m or 7200 (seconds), not {text!r}")
    parts = re.findall(rf"({_NUMBER})([smhd])", text.lower())
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts else float(text)


def pixel_setting(default: Any, low: Bound = None, high: Bound = None, **more: Any) -> Any:
    """Declare a setting that changes the result and therefore the digest.

    later: it was added after the first release, so that its default stays out of the digest
    and old results keep theirs.  rows: the setting is a tuple of these, `[[name]]` in TOML.
    """
    return field(default=default, metadata={"pixels": True, "low": low, "high": high, **more})


def run_setting(default: Any, low: Bound = None, high: Bound = None, **more: Any) -> Any:
    """Declare a setting that changes only how the work is done; choices: the allowed words."""
    return field(default=default, metadata={"pixels": False, "low": low, "high": high, **more})


def get_key(setting: Field[Any]) -> str:
    """Return the TOML key of a setting; keywords of Python, as `from`, have a trailing `_`."""
    return setting.name.removesuffix("_")


def get_choices(setting: Field[Any]) -> tuple[str, ...]:
    """Return the allowed words of a setting, if it has any."""
    words = get_args(setting.type) if get_origin(setting.type) is Literal else ()
    return setting.metadata.get("choices") or words


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Hold named values, checked against their types and bounds."""

    def __post_init__(self) -> None:
        for setting in fields(self):
            _check(setting, getattr(self, setting.name))

    def compute_digest(self) -> str:
        """Return the sha256 of the settings that change pixels; the model has another digest."""
        return _compute_digest(self)

    def as_dict(self) -> dict[str, object]:
        """Return all settings as plain values by TOML key, for the manifest."""
        return {get_key(setting): to_plain(getattr(self, setting.name)) for setting in fields(self)}

    @classmethod
    def from_table(cls, table: object, origin: str) -> Self:
        """Parse one table; raises UsageError that begins with `origin`."""
        return cls().apply(require_table(table, origin), origin)

    def apply(self, changes: Mapping[str, object], origin: str) -> Self:
        """Return a copy with `changes`, as `replace_values`; subclasses may expand them first."""
        return self.replace_values(changes, origin)

    def replace_values(self, changes: Mapping[str, object], origin: str) -> Self:
        """Return a copy with `changes` by TOML key; `origin` names them in errors.

        Raises UsageError for an unknown key, with the nearest known one, and for a value of the
        wrong type or out of bounds.
        """
        settings = {get_key(setting): setting for setting in fields(self)}
        reject_unknown(changes, list(settings), origin)
        try:
            values: dict[str, Any] = {
                settings[key].name: self._coerce(settings[key], value)
                for key, value in changes.items()
            }
            return replace(self, **values)
        except UsageError as error:
            raise UsageError(f"{origin}: {error}") from None

    def _coerce(self, setting: Field[Any], value: object) -> object:
        """Convert a value of TOML: integers to float settings, tables, and times with units."""
        rows: type[Settings] | None = setting.metadata.get("rows")
        if rows is not None and isinstance(value, list | tuple):
            return tuple(
                row if isinstance(row, rows) else rows.from_table(row, f"[[{setting.name}]]")
                for row in value
            )
        if setting.name == "time_budget" and isinstance(value, str):
            return _parse_duration(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return value
        if setting.name == "rate":
            return str(value)
        return float(value) if isinstance(setting.default, float) else value


def to_plain(value: object) -> object:
    """Convert the value of a setting for TOML and JSON."""
    if isinstance(value, tuple):
        return [row.as_dict() if isinstance(row, Settings) else row for row in value]
    return value


def require_table(value: object, origin: str) -> dict[str, Any]:
    """Return a copy of a table; raises UsageError for another value."""
    if not isinstance(value, Mapping):
        raise UsageError(f"{origin} must be a table, not {value!r}")
    return dict(value)


def reject_unknown(values: Mapping[str, object], known_keys: Sequence[str], origin: str) -> None:
    """Raise UsageError for an unknown key; it names the nearest known one."""
    for key in values:
        if key not in known_keys:
            near = difflib.get_close_matches(key, known_keys, n=1)
            hint = (
                f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known_keys)}"
            )
            raise UsageError(f"{origin}: unknown setting {key!r}{hint}")


# Cached, because every job of a run needs the digest of the same recipe.
@lru_cache(maxsize=64)
def _compute_digest(settings: Settings) -> str:
    plain, chosen = settings.as_dict(), {}
    for setting in fields(settings):
        is_default = getattr(settings, setting.name) == setting.default
        if setting.metadata["pixels"] and not (setting.metadata.get("later") and is_default):
            chosen[get_key(setting)] = plain[get_key(setting)]
    return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()


def _check(setting: Field[Any], value: Any) -> None:
    name, default, choices = get_key(setting), setting.default, get_choices(setting)
    if type(value) is not type(default):
        expected = f"tables, [[{name}]]" if default == () else type(default).__name__
        raise UsageError(f"{name} must be {expected}, not {value!r}")
    if choices and value not in choices:
        raise UsageError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
    low, high = setting.metadata["low"], setting.metadata["high"]
    # Written as "not value >= low" so that NaN is out of bounds, too.
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        limit = f"at least {low:g}" if high is None else f"between {low:g} and {high:g}"
        raise UsageError(f"{name} must be {limit}, not {value!r}")
