"""Hue ranges: what a recipe asks for some hues only, in its tables `[[hue_range]]`."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Self

from archive_colorizer.errors import UsageError
from archive_colorizer.recipe.fields import Settings, pixels, reject_unknown

NAMED: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
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
)
"""Where named ranges begin and end, in degrees; all but skin divide the circle among them."""

_FORM: Final = "20-60:saturation=0.8,shift=5 or reds:saturation=0.8"


@dataclass(frozen=True, slots=True, kw_only=True)
class HueRange(Settings):
    """Hues that are corrected by themselves; where ranges overlap, what they ask for adds up.

    from: degrees of HSV, 0 red, 120 green, 240 blue, of the color that the model gave.
    to: degrees; a range may go through 360, and from 0 to 360 is every hue.
    soft: degrees over which each edge fades, half of them inside.
    shift: turn of these hues in degrees.
    saturation, value: factors on S and V of these hues, 0 to 4.
    """

    from_: float = pixels(0.0, 0.0, 360.0)
    to: float = pixels(360.0, 0.0, 360.0)
    soft: float = pixels(15.0, 0.0, 180.0)
    shift: float = pixels(0.0, -180.0, 180.0)
    saturation: float = pixels(1.0, 0.0, 4.0)
    value: float = pixels(1.0, 0.0, 4.0)

    @property
    def width(self) -> float:
        """Degrees between from and to, above 0 and at most 360."""
        return (self.to - self.from_) % 360.0 or 360.0

    @classmethod
    def of(cls, given: object, origin: str) -> Self:
        """A range of one table, which may have a `name` instead of `from` and `to`.

        Raises UsageError that begins with `origin`.
        """
        if not isinstance(given, Mapping):
            raise UsageError(f"{origin} must be a table, not {given!r}")
        table = dict(given)
        if "name" in table:
            name = table.pop("name")
            if {"from", "to"} & set(table):
                raise UsageError(f"{origin}: name stands for from and to; give one or the other")
            if not isinstance(name, str) or name not in NAMED:
                raise UsageError(f"{origin}: name must be one of {', '.join(NAMED)}, not {name!r}")
            table["from"], table["to"] = NAMED[name]
        known = ("name", "from", "to", "soft", "shift", "saturation", "value")
        reject_unknown(table, known, origin)
        if not {"from", "to"} <= set(table):
            raise UsageError(f"{origin} needs from and to in degrees, or a name, as name = 'skin'")
        if table["from"] == table["to"]:
            raise UsageError(f"{origin}: from and to are the same; from 0 to 360 is every hue")
        return cls().changed(table, origin)

    @classmethod
    def parse(cls, text: str) -> Self:
        """A range of one option, as in 20-60:saturation=0.8,shift=5; raises UsageError."""
        which, colon, rest = text.partition(":")
        begin, dash, end = which.strip().partition("-")
        table: dict[str, object] = {}
        try:
            if dash:
                table |= {"from": float(begin), "to": float(end)}
            else:
                table["name"] = begin
            for one in rest.split(",") if colon else ():
                key, _, number = one.partition("=")
                table[key.strip()] = float(number)
        except ValueError:
            raise UsageError(f"a hue range is written as {_FORM}, not {text!r}") from None
        return cls.of(table, f"hue range {text}")
