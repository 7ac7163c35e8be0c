"""Hint points: known colors of single places, in tables `[[hint]]`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from archive_colorizer.errors import UsageError
from archive_colorizer.recipe.fields import Settings, pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class HintPoint(Settings):
    """A color that is known at a place of the photograph, from which it spreads.

    at: [x, y] in pixels of the upright photograph, from its upper left corner.
    color: as "#8a5a44".
    radius: in pixels, of the dot that has this color surely; 0 is a hundredth of the short side.
    """

    at: tuple[float, ...] = pixels(())
    color: str = pixels("")
    radius: float = pixels(0.0, 0.0, 1e6)

    @property
    def rgb(self) -> tuple[float, float, float]:
        """Red, green and blue of sRGB, 0 to 1."""
        text = self.color.removeprefix("#")
        red, green, blue = (int(text[at : at + 2], 16) / 255 for at in (0, 2, 4))
        return red, green, blue

    @classmethod
    def of(cls, given: object, origin: str) -> Self:
        """A hint of one table; raises UsageError that begins with `origin`."""
        if not isinstance(given, Mapping):
            raise UsageError(f"{origin} must be a table, not {given!r}")
        at = given.get("at")
        if not (isinstance(at, list | tuple) and len(at) == 2 and all(map(_is_length, at))):
            raise UsageError(f"{origin}: at must be [x, y], pixels from the upper left, not {at!r}")
        color = given.get("color")
        if not _is_color(color):
            raise UsageError(f'{origin}: color must be as "#8a5a44", not {color!r}')
        return cls().changed({**given, "at": tuple(map(float, at))}, origin)


def _is_length(value: object) -> bool:
    return type(value) in (int, float) and 0 <= float(value) < 1e9  # type: ignore[arg-type]


def _is_color(value: object) -> bool:
    text = value.removeprefix("#") if isinstance(value, str) else ""
    return len(text) == 6 and all(one in "0123456789abcdefABCDEF" for one in text)
