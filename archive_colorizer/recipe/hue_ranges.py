"""Parse corrections of single ranges of hue, from tables `[[hue_range]]` and options."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final, Self

from archive_colorizer.errors import UsageError
from archive_colorizer.recipe.fields import (
    Settings,
    get_key,
    pixel_setting,
    reject_unknown,
    require_table,
)

NAMED_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "reds": (345.0, 15.0),
    "oranges": (15.0, 45.0),
    "yellows": (45.0, 75.0),
    "greens": (75.0, 165.0),
    "cyans": (165.0, 195.0),
    "blues": (195.0, 265.0),
    "purples": (265.0, 315.0),
    "pinks": (315.0, 345.0),
    "skin": (5.0, 45.0),
}
"""Begin and end of named ranges in degrees; all except skin divide the circle among them."""

_FORM: Final = "20-60:saturation=0.8,shift=5 or reds:saturation=0.8"


@dataclass(frozen=True, slots=True, kw_only=True)
class HueRange(Settings):
    """Correct some hues only; where ranges overlap, their corrections add up.

    from: degrees of HSV, 0 red, 120 green, 240 blue, of the color that the model predicts.
    to: degrees; a range may go through 360, and from 0 to 360 is every hue.
    soft: degrees over which each edge fades, half of them inside.
    shift: rotation of these hues in degrees.
    saturation, value: factors on S and V of these hues, 0 to 4.
    """

    from_: float = pixel_setting(0.0, 0.0, 360.0)
    to: float = pixel_setting(360.0, 0.0, 360.0)
    soft: float = pixel_setting(15.0, 0.0, 180.0)
    shift: float = pixel_setting(0.0, -180.0, 180.0)
    saturation: float = pixel_setting(1.0, 0.0, 4.0)
    value: float = pixel_setting(1.0, 0.0, 4.0)

    @property
    def width(self) -> float:
        """Degrees between from and to, above 0 and at most 360."""
        return (self.to - self.from_) % 360.0 or 360.0

    @classmethod
    def from_table(cls, table: object, origin: str) -> Self:
        """Parse one table, which may have a `name` instead of `from` and `to`."""
        table = require_table(table, origin)
        if "name" in table:
            name = table.pop("name")
            if {"from", "to"} & set(table):
                raise UsageError(f"{origin}: name stands for from and to; give one or the other")
            if not isinstance(name, str) or name not in NAMED_RANGES:
                raise UsageError(
                    f"{origin}: name must be one of {', '.join(NAMED_RANGES)}, not {name!r}"
                )
            table["from"], table["to"] = NAMED_RANGES[name]
        known_keys = ("name", *map(get_key, fields(cls)))
        reject_unknown(table, known_keys, origin)
        if not {"from", "to"} <= set(table):
            raise UsageError(f"{origin} needs from and to in degrees, or a name, as name = 'skin'")
        if table["from"] == table["to"]:
            raise UsageError(f"{origin}: from and to are the same; from 0 to 360 is every hue")
        return cls().apply(table, origin)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse an option, as 20-60:saturation=0.8,shift=5; raises UsageError."""
        bounds, colon, rest = text.partition(":")
        begin, dash, end = bounds.strip().partition("-")
        table: dict[str, object] = {}
        try:
            if dash:
                table |= {"from": float(begin), "to": float(end)}
            else:
                table["name"] = begin
            for assignment in rest.split(",") if colon else ():
                key, _, number = assignment.partition("=")
                table[key.strip()] = float(number)
        except ValueError:
            raise UsageError(f"a hue range is written as {_FORM}, not {text!r}") from None
        return cls.from_table(table, f"hue range {text}")
