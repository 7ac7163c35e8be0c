"""What a recipe file may hold, as a JSON schema for editors."""

import inspect
import re
from dataclasses import fields
from typing import Any, Final

from archive_colorizer import device
from archive_colorizer.recipe.fields import PATTERN, Settings, key_of, plain_of
from archive_colorizer.recipe.files import FILM
from archive_colorizer.recipe.film_shots import OWN
from archive_colorizer.recipe.hue_ranges import NAMED, HueRange
from archive_colorizer.recipe.overrides import OVERRIDABLE
from archive_colorizer.recipe.recipe import FilmRecipe, Recipe

_TYPES: Final = {bool: "boolean", int: "integer", float: "number", str: "string", tuple: "array"}


def schema() -> dict[str, Any]:
    """A JSON schema (draft 7, which editors of TOML read) of recipe files."""
    film = _schema_of(FilmRecipe)
    photo = _schema_of(Recipe)
    known = {name: photo["properties"][name] for name in OWN}
    photo["properties"]["hue_range"]["items"] = _schema_of_ranges()
    _constrain_hints(photo["properties"]["hint"]["items"])
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
    overridable = {name: photo["properties"][name] for name in OVERRIDABLE}
    photo["properties"]["override"] = {
        "type": "array",
        "description": "Settings for photographs whose path below the scans matches.",
        "items": {
            "type": "object",
            "additionalProperties": False,
            "required": ["match"],
            "properties": {"match": {"type": "string", "minLength": 1}, **overridable},
        },
    }
    photo["properties"][FILM] = {**film, "description": "Settings that only films have."}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Recipe of archive-colorizer",
        **photo,
    }


def _constrain_hints(hints: dict[str, Any]) -> None:
    place = {"items": {"type": "number", "minimum": 0}, "minItems": 2, "maxItems": 2}
    for name, more in (("at", place), ("color", {"pattern": "^#?[0-9a-fA-F]{6}$"})):
        del hints["properties"][name]["default"]
        hints["properties"][name] |= more
    hints["required"] = ["at", "color"]


def _schema_of(kind: type[Settings]) -> dict[str, Any]:
    said = descriptions(kind)
    properties: dict[str, dict[str, Any]] = {}
    for one in fields(kind):
        known: dict[str, Any] = {"default": plain_of(one.default)}
        rows = one.metadata.get("rows")
        if rows is None:
            known["type"] = _TYPES[type(one.default)]
        else:
            known |= {"type": "array", "items": _schema_of(rows)}
        if one.name in ("rate", "time_budget"):
            known["type"] = ["string", "number"]
        if one.name == "time_budget":
            known["pattern"] = PATTERN
        if one.name == "device":
            known["pattern"] = device.PATTERN
        for bound, word in (("low", "minimum"), ("high", "maximum"), ("choices", "enum")):
            limit = one.metadata.get(bound)
            if limit is not None and limit != ():
                known[word] = list(limit) if bound == "choices" else limit
        if key_of(one) in said:
            known["description"] = said[key_of(one)]
        properties[key_of(one)] = known
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _schema_of_ranges() -> dict[str, Any]:
    """Hue ranges, which may have a name instead of their bounds."""
    known = _schema_of(HueRange)
    for bound in ("from", "to"):
        del known["properties"][bound]["default"]
    known["properties"]["name"] = {"enum": list(NAMED), "description": "Stands for from and to."}
    nameless = {"not": {"required": ["name"]}, "required": ["from", "to"]}
    bare = {"not": {"anyOf": [{"required": [one]} for one in ("from", "to")]}}
    return {**known, "oneOf": [nameless, {**bare, "required": ["name"]}]}


def descriptions(kind: type[Settings]) -> dict[str, str]:
    """What the docstring of the settings says about each; nothing under `python -OO`."""
    names = {key_of(one) for one in fields(kind)}
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
