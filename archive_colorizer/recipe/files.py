"""Read recipe files, and order the settings of files and options by precedence."""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from archive_colorizer.errors import UsageError
from archive_colorizer.recipe.recipe import FilmRecipe, Recipe

FILM: Final = "film"
"""The table of settings for films."""

OPTION: Final = "command line"
_PRESET: Final = frozenset({"preset"})

Layer: TypeAlias = tuple[str, Mapping[str, object]]
"""The origin of settings, and the settings."""


def order_layers(
    file: Layer, options: Mapping[str, object], photo_layers: Sequence[Layer] = ()
) -> list[Layer]:
    """Return the layers of settings, weakest first.

    A preset ranks below all other settings of its file.  A preset option replaces the presets
    of the file and of `photo_layers`, and leaves their other settings.
    """
    chosen = OPTION if "preset" in options else file[0]
    preset = {**file[1], **options}.get("preset")
    lowest: list[Layer] = [] if preset is None else [(chosen, {"preset": preset})]
    if "preset" in options:
        photo_layers = [(origin, exclude_keys(values, _PRESET)) for origin, values in photo_layers]
    lowest += [(file[0], exclude_keys(file[1], _PRESET)), *photo_layers]
    return [*lowest, (OPTION, exclude_keys(options, _PRESET))]


def exclude_keys(values: Mapping[str, object], names: Collection[str]) -> dict[str, object]:
    """Return the settings without `names`."""
    return {key: value for key, value in values.items() if key not in names}


def build_recipe(layers: Sequence[Layer]) -> Recipe:
    """Apply layers, weakest first; raises UsageError that begins with the origin."""
    recipe = Recipe()
    for origin, values in layers:
        recipe = recipe.apply(values, origin)
    return recipe


def load_recipe(path: Path | None, options: Mapping[str, object] | None = None) -> Recipe:
    """Return the recipe of a file, if any, and options; raises UsageError that names the file."""
    return load_recipes(path, options)[0]


def load_recipes(
    path: Path | None, options: Mapping[str, object] | None = None
) -> tuple[Recipe, FilmRecipe]:
    """Return the recipe of `load_recipe` and that of the table `[film]`."""
    tables = RecipeTables.read(path)
    origin = f"recipe {path}"
    recipe = build_recipe(order_layers((origin, tables.photo), options or {}))
    return recipe, FilmRecipe().apply(tables.film, f"{origin}, [film]")


@dataclass(frozen=True, slots=True, eq=False)
class RecipeTables:
    """Hold the unchecked content of a recipe file.

    film: the table `[film]`.  shots: tables `[[film.shot]]`.  overrides: tables `[[override]]`.
    """

    photo: dict[str, Any]
    film: dict[str, Any]
    shots: list[Any]
    overrides: list[Any]

    @classmethod
    def read(cls, path: Path | None) -> "RecipeTables":
        """Read the tables of a recipe file, if any; raises UsageError, which names the file."""
        if path is None:
            return cls({}, {}, [], [])
        try:
            photo = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise UsageError(f"recipe {path}: {error}") from None
        film = photo.pop(FILM, {})
        if not isinstance(film, dict):
            raise UsageError(f"recipe {path}: film must be a table, [film], not {film!r}")
        shots, overrides = film.pop("shot", []), photo.pop("override", [])
        shot, override = "a shot must be a table, [[film.shot]]", "an [[override]] must be a table"
        for rule, tables in ((shot, shots), (override, overrides)):
            if not isinstance(tables, list):
                raise UsageError(f"recipe {path}: {rule}, not {tables!r}")
        return cls(photo, film, shots, overrides)
