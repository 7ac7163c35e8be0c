"""What a recipe says of single shots of a film: its tables `[[film.shot]]`."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from archive_colorizer.errors import UsageError
from archive_colorizer.recipe.fields import reject_unknown
from archive_colorizer.recipe.files import read_tables
from archive_colorizer.recipe.recipe import Recipe

SHOT: Final = "[[film.shot]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotSettings:
    """Settings for the shot that holds frame `frame` (from 0).

    The rest are as in the Recipe; what is None stays as for the whole film.
    """

    frame: int
    model: str | None = None
    strength: float | None = None
    saturation: float | None = None
    hue: float | None = None
    value: float | None = None

    @property
    def chosen(self) -> dict[str, str | float]:
        """The settings that are given, by name."""
        every = {one: getattr(self, one) for one in OWN}
        return {name: value for name, value in every.items() if value is not None}


OWN: Final = tuple(one.name for one in fields(ShotSettings) if one.name != "frame")


def load_shots(path: Path) -> tuple[ShotSettings, ...]:
    """Those of a recipe file.  Raises UsageError that names it for what cannot be meant."""
    return shot_settings(read_tables(path).shots, f"recipe {path}, ")


def shot_settings(tables: Sequence[object], origin: str) -> tuple[ShotSettings, ...]:
    """Those of unchecked tables; raises UsageError that begins with `origin`."""
    return tuple(_one(table, f"{origin}{SHOT}") for table in tables)


def _one(table: object, origin: str) -> ShotSettings:
    if not isinstance(table, dict):
        raise UsageError(f"{origin} must be a table, not {table!r}")
    reject_unknown(table, ("frame", *OWN), origin)
    own = {name: value for name, value in table.items() if name != "frame"}
    frame = table.get("frame")
    if type(frame) is not int or frame < 0:
        raise UsageError(f"{origin} needs a frame of the shot, as in frame = 120, not {frame!r}")
    checked = Recipe().changed(own, origin)
    return ShotSettings(frame=frame, **{name: getattr(checked, name) for name in own})
