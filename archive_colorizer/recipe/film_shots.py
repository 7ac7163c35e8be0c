"""Parse the settings of single shots of a film, tables `[[film.shot]]` of a recipe."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from archive_colorizer.errors import UsageError
from archive_colorizer.recipe.fields import reject_unknown, require_table
from archive_colorizer.recipe.files import RecipeTables
from archive_colorizer.recipe.recipe import Recipe

SHOT: Final = "[[film.shot]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotSettings:
    """Hold settings for the shot with frame `frame` (from 0); None keeps the film's setting."""

    frame: int
    model: str | None = None
    strength: float | None = None
    saturation: float | None = None
    hue: float | None = None
    value: float | None = None

    @property
    def chosen(self) -> dict[str, str | float]:
        """The settings of this shot, by name."""
        settings = {key: getattr(self, key) for key in SHOT_KEYS}
        return {name: value for name, value in settings.items() if value is not None}


SHOT_KEYS: Final = tuple(field.name for field in fields(ShotSettings) if field.name != "frame")


def load_shots(path: Path) -> tuple[ShotSettings, ...]:
    """Read the shots of a recipe file; raises UsageError, which names it."""
    return parse_shots(RecipeTables.read(path).shots, f"recipe {path}, ")


def parse_shots(tables: Sequence[object], origin: str) -> tuple[ShotSettings, ...]:
    """Check tables `[[film.shot]]`; raises UsageError that begins with `origin`."""
    return tuple(_parse_shot(table, f"{origin}{SHOT}") for table in tables)


def _parse_shot(table: object, origin: str) -> ShotSettings:
    settings = require_table(table, origin)
    reject_unknown(settings, ("frame", *SHOT_KEYS), origin)
    frame = settings.pop("frame", None)
    if type(frame) is not int or frame < 0:
        raise UsageError(f"{origin} needs a frame of the shot, as in frame = 120, not {frame!r}")
    checked = Recipe().apply(settings, origin)
    return ShotSettings(frame=frame, **{name: getattr(checked, name) for name in settings})
