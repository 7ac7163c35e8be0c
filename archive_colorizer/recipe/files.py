"""Recipe files, and in which order the settings of files and options count."""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from archive_colorizer.errors import UsageError
from archive_colorizer.recipe.recipe import FilmRecipe, Recipe

FILM: Final = "film"
"""The table of settings that only films have."""

OPTION: Final = "command line"
_PRESET: Final = frozenset({"preset"})

Layer: TypeAlias = tuple[str, Mapping[str, object]]
"""Settings and, before them, who gives them."""


def layers_of(
    file: Layer, options: Mapping[str, object], between: Sequence[Layer] = ()
) -> list[Layer]:
    """Whose settings count, the weakest first.

    A preset stands below all others of its file.  One among the options takes the place of
    the file's, and of those `between`, whose other settings stay.
    """
    chosen = OPTION if "preset" in options else file[0]
    preset = {**file[1], **options}.get("preset")
    lowest: list[Layer] = [] if preset is None else [(chosen, {"preset": preset})]
    above = [(origin, without(given, _PRESET)) for origin, given in (file, (OPTION, options))]
    if "preset" in options:
        between = [(origin, without(given, _PRESET)) for origin, given in between]
    return [*lowest, above[0], *between, above[1]]


def without(given: Mapping[str, object], names: Collection[str]) -> dict[str, object]:
    """Settings but for those."""
    return {key: value for key, value in given.items() if key not in names}


def recipe_of(layers: Sequence[Layer]) -> Recipe:
    """The recipe of layers, the weakest first; raises UsageError that begins with the origin."""
    recipe = Recipe()
    for origin, given in layers:
        recipe = recipe.changed(given, origin)
    return recipe


_NO_OPTIONS: Final[Mapping[str, object]] = MappingProxyType({})


def load_recipe(path: Path | None, options: Mapping[str, object] = _NO_OPTIONS) -> Recipe:
    """Read a recipe file, if there is one, below the settings of `options`.

    Raises UsageError that names the file when it cannot be read or is no TOML.
    """
    return load_recipes(path, options)[0]


def load_recipes(
    path: Path | None, options: Mapping[str, object] = _NO_OPTIONS
) -> tuple[Recipe, FilmRecipe]:
    """Read a recipe file and its table `[film]`; raises as `load_recipe` does."""
    tables = NO_TABLES if path is None else read_tables(path)
    origin = f"recipe {path}"
    recipe = recipe_of(layers_of((origin, tables.photo), options))
    return recipe, FilmRecipe().changed(tables.film, f"{origin}, [film]")


def read_photo_layer(path: Path | None) -> Layer:
    """What a recipe file, if there is one, says of photographs, unchecked."""
    return f"recipe {path}", {} if path is None else read_tables(path).photo


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """What stands in a recipe file, unchecked: its settings, and those of its tables.

    film: of `[film]`.  shots: of each `[[film.shot]]`.  overrides: of each `[[override]]`.
    """

    photo: dict[str, Any]
    film: dict[str, Any]
    shots: list[Any]
    overrides: list[Any]


def read_tables(path: Path) -> Tables:
    """The tables of a recipe file.

    Raises UsageError that names the file when it cannot be read or is no TOML.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"recipe {path}: {error}") from None
    film = given.pop(FILM, {})
    if not isinstance(film, dict):
        raise UsageError(f"recipe {path}: film must be a table, [film], not {film!r}")
    shots, overrides = film.pop("shot", []), given.pop("override", [])
    shot, override = "a shot must be a table, [[film.shot]]", "an [[override]] must be a table"
    for wanted, tables in ((shot, shots), (override, overrides)):
        if not isinstance(tables, list):
            raise UsageError(f"recipe {path}: {wanted}, not {tables!r}")
    return Tables(given, film, shots, overrides)


NO_TABLES: Final = Tables({}, {}, [], [])
