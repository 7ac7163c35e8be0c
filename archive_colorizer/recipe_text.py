"""Recipes that explain themselves: where each setting came from, as TOML, as a JSON schema."""

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import tomli_w

from archive_colorizer.duration import PATTERN
from archive_colorizer.errors import UsageError
from archive_colorizer.recipe import FilmRecipe, Recipe, read_tables
from archive_colorizer.recipe_shots import OWN, SHOT, ShotSettings, shot_settings
from archive_colorizer.settings import Settings

DEFAULT: Final = "default"
OPTION: Final = "command line"
_FILM: Final = "film"
_COLUMN: Final = 44
"""Where the origins begin in TOML."""

_OF_TRAINING: Final = frozenset({"network", "objective", "phases"})

_TYPES: Final = {bool: "boolean", int: "integer", float: "number", str: "string"}


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
        yield _FILM, self.film, self.film_origins


def trace(
    file: Path | None, options: Mapping[str, object], film_options: Mapping[str, object]
) -> Traced:
    """The settings that a run with this recipe file and these options has.

    Raises UsageError as the run would.
    """
    given, film, shots = ({}, {}, []) if file is None else read_tables(file)
    origin = f"recipe {file}"
    return Traced(
        Recipe().changed(given, origin).changed(options, OPTION),
        FilmRecipe().changed(film, f"{origin}, [{_FILM}]").changed(film_options, OPTION),
        _origins(Recipe, str(file), given, options),
        _origins(FilmRecipe, str(file), film, film_options),
        shot_settings(shots, f"{origin}, "),
    )


def _origins(
    kind: type[Settings], file: str, given: Mapping[str, object], options: Mapping[str, object]
) -> dict[str, str]:
    return {
        one.name: OPTION if one.name in options else file if one.name in given else DEFAULT
        for one in fields(kind)
    }


def as_toml(traced: Traced, only_changed: bool = False) -> str:
    """A recipe file with these settings and, as comments, their origins.

    `only_changed` leaves out what is as by default; the file means the same.
    """
    lines: list[str] = []
    for table, settings, origins in traced.tables():
        chosen = [name for name in origins if not (only_changed and origins[name] == DEFAULT)]
        if table and chosen:
            lines += ["", f"[{table}]"]
        for name in chosen:
            said = tomli_w.dumps({name: getattr(settings, name)}).strip()
            lines.append(f"{said:{_COLUMN}}  # {_plain(origins[name])}")
    for shot in traced.shots:
        own = tomli_w.dumps({"frame": shot.frame, **shot.chosen}).splitlines()
        lines += ["", SHOT, *own]
    return "\n".join([*lines, ""])


def _plain(text: str) -> str:
    """A path that can stand in a comment: no line ends there."""
    return "".join(one if one.isprintable() else "?" for one in text)


def faults_of(file: Path) -> list[str]:
    """All that is wrong with a recipe file, a sentence each; a run would tell the first only.

    Raises UsageError when the file cannot be read or is no TOML.
    """
    given, film, shots = read_tables(file)
    if _OF_TRAINING & set(given):
        return ["this is a recipe for training, which `archive-colorize train` checks itself"]
    faults: list[str] = []
    for kind, table, origin in ((Recipe, given, ""), (FilmRecipe, film, f"[{_FILM}] ")):
        for name, value in table.items():
            try:
                kind().changed({name: value}, f"{origin}{name}")
            except UsageError as error:
                faults.append(_said(error))
    for shot in shots:
        try:
            shot_settings([shot], "")
        except UsageError as error:
            faults.append(_said(error))
    return faults


def _said(error: UsageError) -> str:
    return str(error).partition("; known are")[0]


def schema() -> dict[str, Any]:
    """A JSON schema (draft 7, which editors of TOML read) of recipe files."""
    film = _schema_of(FilmRecipe)
    photo = _schema_of(Recipe)
    known = {name: photo["properties"][name] for name in OWN}
    film["properties"]["shot"] = {
        "type": "array",
        "description": "Settings for the shot that holds a frame, counted from 0.",
        "items": {
            "type": "object",
            "additionalProperties": False,
            "required": ["frame"],
            "properties": {"frame": {"type": "integer", "minimum": 0}, **known},
        },
    }
    photo["properties"][_FILM] = {**film, "description": "Settings that only films have."}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Recipe of archive-colorizer",
        **photo,
    }


def _schema_of(kind: type[Settings]) -> dict[str, Any]:
    said = descriptions(kind)
    properties: dict[str, dict[str, Any]] = {}
    for one in fields(kind):
        known: dict[str, Any] = {"type": _TYPES[type(one.default)], "default": one.default}
        if one.name in ("rate", "time_budget"):
            known["type"] = ["string", "number"]
        if one.name == "time_budget":
            known["pattern"] = PATTERN
        for bound, word in (("low", "minimum"), ("high", "maximum"), ("choices", "enum")):
            limit = one.metadata.get(bound)
            if limit is not None and limit != ():
                known[word] = list(limit) if bound == "choices" else limit
        if one.name in said:
            known["description"] = said[one.name]
        properties[one.name] = known
    return {"type": "object", "additionalProperties": False, "properties": properties}


def descriptions(kind: type[Settings]) -> dict[str, str]:
    """What the docstring of the settings says about each; nothing under `python -OO`."""
    names = {one.name for one in fields(kind)}
    found: dict[str, str] = {}
    about: list[str] = []
    for line in inspect.cleandoc(kind.__doc__ or "").splitlines():
        begun = re.match(r"([a-z_0-9]+(?:, [a-z_0-9]+)*): (.*)", line)
        if begun and set(begun[1].split(", ")) <= names:
            about = begun[1].split(", ")
            found.update(dict.fromkeys(about, begun[2]))
        else:
            found.update({name: f"{found[name]} {line.strip()}".strip() for name in about})
    return found
