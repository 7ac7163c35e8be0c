"""Recipes that explain themselves: where each setting came from, as TOML, as a JSON schema."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Final

import tomli_w

from archive_colorizer.errors import UsageError
from archive_colorizer.recipe.fields import Settings, key_of
from archive_colorizer.recipe.files import (
    FILM,
    NO_TABLES,
    OPTION,
    Layer,
    layers_of,
    read_tables,
    recipe_of,
)
from archive_colorizer.recipe.film_shots import SHOT, ShotSettings, shot_settings
from archive_colorizer.recipe.overrides import (
    SETTINGS,
    check_override,
    glob_overrides,
    parse_tables,
)
from archive_colorizer.recipe.presets import LOOK, PRESETS
from archive_colorizer.recipe.recipe import FilmRecipe, Recipe, check_together

DEFAULT: Final = "default"
_COLUMN: Final = 44
"""Where the origins begin in TOML."""

_OF_TRAINING: Final = frozenset({"network", "objective", "phases"})

_TYPES: Final = {bool: "boolean", int: "integer", float: "number", str: "string", tuple: "array"}


@dataclass(frozen=True, slots=True)
class Traced:
    """Settings in effect, and who decided each.

    `origins` and `film_origins` hold, by setting, DEFAULT, the path of a file, or OPTION;
    `shots` are the file's settings for single shots of a film.
    """

    recipe: Recipe
    film: FilmRecipe
    origins: dict[str, str]
    film_origins: dict[str, str]
    shots: tuple[ShotSettings, ...] = ()

    def tables(self) -> Iterator[tuple[str, Settings, dict[str, str]]]:
        """Name (empty for the first), settings and origins of each table of a recipe file."""
        yield "", self.recipe, self.origins
        yield FILM, self.film, self.film_origins


def trace(
    file: Path | None,
    options: Mapping[str, object],
    film_options: Mapping[str, object],
    between: Sequence[Layer] = (),
) -> Traced:
    """The settings that a run with this recipe file and these options has.

    between: what one photograph has for itself, to tell its settings.  Raises UsageError as
    the run would.
    """
    tables = NO_TABLES if file is None else read_tables(file)
    origin = f"recipe {file}"
    layers = layers_of((origin, tables.photo), options, between)
    of_film: list[Layer] = [(f"{origin}, [{FILM}]", tables.film), (OPTION, film_options)]
    return Traced(
        recipe_of(layers),
        FilmRecipe().changed(tables.film, of_film[0][0]).changed(film_options, OPTION),
        origins_of(Recipe, layers),
        origins_of(FilmRecipe, [(origin, tables.film), of_film[1]]),
        shot_settings(tables.shots, f"{origin}, "),
    )


def origins_of(kind: type[Settings], layers: Sequence[Layer]) -> dict[str, str]:
    """Who decided each setting, by its name: DEFAULT, a file, OPTION, or `preset NAME`."""
    origins = {key_of(one): DEFAULT for one in fields(kind)}
    for origin, given in layers:
        preset = PRESETS.get(str(given.get("preset")))
        if preset is not None:
            said = f"preset {given['preset']}"
            origins |= {key: said if key in preset else DEFAULT for key in LOOK}
        origins |= dict.fromkeys(given, origin.removeprefix("recipe "))
    return origins


def as_toml(traced: Traced, only_changed: bool = False) -> str:
    """A recipe file with these settings and, as comments, their origins.

    `only_changed` leaves out what is as by default; the file means the same.
    """
    lines: list[str] = []
    for table, settings, origins in traced.tables():
        chosen = [name for name in origins if not (only_changed and origins[name] == DEFAULT)]
        if table and chosen:
            lines += ["", f"[{table}]"]
        lines += _lines(settings.as_dict(), chosen, origins)
    for shot in traced.shots:
        own = tomli_w.dumps({"frame": shot.frame, **shot.chosen}).splitlines()
        lines += ["", SHOT, *own]
    return "\n".join([*lines, ""])


def _lines(
    values: Mapping[str, object], chosen: Sequence[str], origins: Mapping[str, str]
) -> Iterator[str]:
    """Settings in TOML, those that are tables themselves at the end."""
    for name in sorted(chosen, key=lambda name: bool(_rows(values[name]))):
        told = f"# {_plain(origins[name])}"
        rows = _rows(values[name])
        if rows:
            for row in rows:
                yield from ("", f"{f'[[{name}]]':{_COLUMN}}  {told}")
                yield tomli_w.dumps(row).strip()
        else:
            said = tomli_w.dumps({name: values[name]}).strip()
            yield f"{said:{_COLUMN}}  {told}"


def _rows(value: object) -> list[dict[str, Any]]:
    """The tables of a setting that has some."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _plain(text: str) -> str:
    """A path that can stand in a comment: no line ends there."""
    return "".join(one if one.isprintable() else "?" for one in text)


def faults_of(file: Path) -> list[str]:
    """All that is wrong with a recipe file, a sentence each; a run would tell the first only.

    Files of settings for single photographs and folders are held to what these may say.

    Raises UsageError when the file cannot be read or is no TOML.
    """
    tables = read_tables(file)
    if file.name == SETTINGS or file.name.endswith(f".{SETTINGS}"):
        given = parse_tables(file.read_bytes(), str(file))
        return [
            fault
            for name, value in given.items()
            for fault in _faults(partial(check_override, {name: value}, name))
        ]
    if _OF_TRAINING & set(tables.photo):
        return ["this is a recipe for training, which `archive-colorize train` checks itself"]
    faults: list[str] = []
    for kind, table, origin in (
        (Recipe, tables.photo, ""),
        (FilmRecipe, tables.film, f"[{FILM}] "),
    ):
        for name, value in table.items():
            faults += _faults(partial(kind().changed, {name: value}, f"{origin}{name}"))
    if not faults:
        faults += _faults(lambda: check_together(Recipe().changed(tables.photo, "")))
    for shot in tables.shots:
        faults += _faults(partial(shot_settings, [shot], ""))
    for override in tables.overrides:
        faults += _faults(partial(glob_overrides, [override], ""))
    return faults


def _faults(check: Callable[[], object]) -> list[str]:
    """What a check has to say, in a list that may be empty."""
    try:
        check()
    except UsageError as error:
        return [str(error).partition("; known are")[0]]
    return []
