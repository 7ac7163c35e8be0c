"""Explain a recipe: the origin of each setting, as TOML, and everything wrong with a file."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Final

import tomli_w

from archive_colorizer.errors import UsageError
from archive_colorizer.recipe.fields import Settings, get_key
from archive_colorizer.recipe.files import (
    FILM,
    OPTION,
    Layer,
    RecipeTables,
    build_recipe,
    order_layers,
)
from archive_colorizer.recipe.film_shots import SHOT, ShotSettings, parse_shots
from archive_colorizer.recipe.overrides import (
    OVERRIDES_FILE,
    check_override,
    parse_glob_overrides,
    parse_tables,
)
from archive_colorizer.recipe.presets import LOOK, PRESETS
from archive_colorizer.recipe.recipe import FilmRecipe, Recipe

DEFAULT: Final = "default"
_COMMENT_COLUMN: Final = 44
"""Comments with origins begin here in TOML."""

_TRAINING_KEYS: Final = frozenset({"network", "objective", "phases"})


@dataclass(frozen=True, slots=True)
class TracedSettings:
    """Hold the effective settings and their origins.

    `origins` and `film_origins` hold DEFAULT, the path of a file, or OPTION for each setting;
    `shots` are the settings of the file for single shots of a film.
    """

    recipe: Recipe
    film: FilmRecipe
    origins: dict[str, str]
    film_origins: dict[str, str]
    shots: tuple[ShotSettings, ...] = ()

    def iterate_tables(self) -> Iterator[tuple[str, Settings, dict[str, str]]]:
        """Yield name (empty for the first), settings and origins of each table of a recipe file."""
        yield "", self.recipe, self.origins
        yield FILM, self.film, self.film_origins

    def render_toml(self, only_changed: bool = False) -> str:
        """Write a recipe file with these settings and their origins as comments.

        `only_changed` leaves out defaults, which does not change the meaning of the file.
        """
        lines: list[str] = []
        for table, settings, origins in self.iterate_tables():
            chosen = [name for name in origins if not (only_changed and origins[name] == DEFAULT)]
            if table and chosen:
                lines += ["", f"[{table}]"]
            lines += _render_table(settings.as_dict(), chosen, origins)
        for shot in self.shots:
            shot_lines = tomli_w.dumps({"frame": shot.frame, **shot.chosen}).splitlines()
            lines += ["", SHOT, *shot_lines]
        return "\n".join([*lines, ""])

    @classmethod
    def trace(
        cls,
        file: Path | None,
        options: Mapping[str, object],
        film_options: Mapping[str, object],
        photo_layers: Sequence[Layer] = (),
    ) -> "TracedSettings":
        """Return the settings of a run with this recipe file and these options.

        photo_layers: overrides of one photograph.  Raises the UsageError of the run.
        """
        tables = RecipeTables.read(file)
        origin = f"recipe {file}"
        layers = order_layers((origin, tables.photo), options, photo_layers)
        return cls(
            build_recipe(layers),
            FilmRecipe().apply(tables.film, f"{origin}, [{FILM}]").apply(film_options, OPTION),
            _find_origins(Recipe, layers),
            _find_origins(FilmRecipe, [(origin, tables.film), (OPTION, film_options)]),
            parse_shots(tables.shots, f"{origin}, "),
        )


def _find_origins(kind: type[Settings], layers: Sequence[Layer]) -> dict[str, str]:
    """Return the origin of each setting: DEFAULT, a file, OPTION, or `preset NAME`."""
    origins = {get_key(setting): DEFAULT for setting in fields(kind)}
    for origin, values in layers:
        preset = PRESETS.get(str(values.get("preset")))
        if preset is not None:
            preset_origin = f"preset {values['preset']}"
            origins |= {key: preset_origin if key in preset else DEFAULT for key in LOOK}
        origins |= dict.fromkeys(values, origin.removeprefix("recipe "))
    return origins


def _render_table(
    values: Mapping[str, object], chosen: Sequence[str], origins: Mapping[str, str]
) -> Iterator[str]:
    """Yield settings in TOML, with those that are tables at the end."""
    for name in sorted(chosen, key=lambda name: bool(_list_rows(values[name]))):
        comment = f"# {_make_printable(origins[name])}"
        rows = _list_rows(values[name])
        if rows:
            for row in rows:
                yield from ("", f"{f'[[{name}]]':{_COMMENT_COLUMN}}  {comment}")
                yield tomli_w.dumps(row).strip()
        else:
            assignment = tomli_w.dumps({name: values[name]}).strip()
            yield f"{assignment:{_COMMENT_COLUMN}}  {comment}"


def _list_rows(value: object) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _make_printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


def find_faults(file: Path) -> list[str]:
    """Return everything that is wrong with a recipe or override file, one sentence each.

    A run stops at the first fault.  Raises UsageError when the file cannot be read or is no TOML.
    """
    tables = RecipeTables.read(file)
    if file.name == OVERRIDES_FILE or file.name.endswith(f".{OVERRIDES_FILE}"):
        settings = parse_tables(file.read_bytes(), str(file))
        return [
            fault
            for name, value in settings.items()
            for fault in _collect_faults(partial(check_override, {name: value}, name))
        ]
    if _TRAINING_KEYS & set(tables.photo):
        return ["this is a recipe for training, which `archive-colorize train` checks itself"]
    faults: list[str] = []
    for name, value in tables.photo.items():
        faults += _collect_faults(partial(Recipe().apply, {name: value}, name))
    for name, value in tables.film.items():
        faults += _collect_faults(partial(FilmRecipe().apply, {name: value}, f"[{FILM}] {name}"))
    if not faults:
        faults += _collect_faults(lambda: Recipe().apply(tables.photo, "").check_combination())
    for shot in tables.shots:
        faults += _collect_faults(partial(parse_shots, [shot], ""))
    for override in tables.overrides:
        faults += _collect_faults(partial(parse_glob_overrides, [override], ""))
    return faults


def _collect_faults(check: Callable[[], object]) -> list[str]:
    try:
        check()
    except UsageError as error:
        return [str(error).partition("; known are")[0]]
    return []
