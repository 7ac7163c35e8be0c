"""Parse hint points, known colors of single places, from tables `[[hint]]`."""

import re
from dataclasses import dataclass
from typing import Final, Self

from archive_colorizer.errors import UsageError
from archive_colorizer.recipe.fields import Settings, pixel_setting, require_table

COLOR_PATTERN: Final = "^#?[0-9a-fA-F]{6}$"


@dataclass(frozen=True, slots=True, kw_only=True)
class HintPoint(Settings):
    """Set the color of a place of the photograph, from which it spreads.

    at: [x, y] in pixels of the upright photograph, from its upper left corner.
    color: as "#8a5a44".
    radius: of the dot that has exactly this color, in pixels; 0 is a hundredth of the short side.
    """

    at: tuple[float, ...] = pixel_setting(())
    color: str = pixel_setting("")
    radius: float = pixel_setting(0.0, 0.0, 1e6)

    @property
    def rgb(self) -> tuple[float, float, float]:
        """Red, green and blue of sRGB, 0 to 1."""
        text = self.color.removeprefix("#")
        red, green, blue = (int(text[at : at + 2], 16) / 255 for at in (0, 2, 4))
        return red, green, blue

    @classmethod
    def from_table(cls, table: object, origin: str) -> Self:
        table = require_table(table, origin)
        at = table.get("at")
        if not (isinstance(at, list | tuple) and len(at) == 2 and all(map(_is_length, at))):
            raise UsageError(f"{origin}: at must be [x, y], pixels from the upper left, not {at!r}")
        color = table.get("color")
        if not (isinstance(color, str) and re.fullmatch(COLOR_PATTERN, color)):
            raise UsageError(f'{origin}: color must be as "#8a5a44", not {color!r}')
        return cls().apply({**table, "at": tuple(map(float, at))}, origin)


def _is_length(value: object) -> bool:
    return type(value) in (int, float) and 0 <= float(value) < 1e9  # type: ignore[arg-type]
