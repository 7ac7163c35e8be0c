"""Build the JSON schema of recipe files, for editors."""

import inspect
import re
from dataclasses import fields
from typing import Any, Final

from archive_colorizer import device
from archive_colorizer.recipe.color_hints import COLOR_PATTERN
from archive_colorizer.recipe.fields import (
    DURATION_PATTERN,
    Settings,
    get_choices,
    get_key,
    to_plain,
)
from archive_colorizer.recipe.files import FILM
from archive_colorizer.recipe.film_shots import SHOT_KEYS
from archive_colorizer.recipe.hue_ranges import NAMED_RANGES, HueRange
from archive_colorizer.recipe.overrides import OVERRIDABLE
from archive_colorizer.recipe.recipe import FilmRecipe, Recipe

_TYPES: Final = {bool: "boolean", int: "integer", float: "number", str: "string", tuple: "array"}


def build_schema() -> dict[str, Any]:
    """Return a JSON schema (draft 7, which editors of TOML read) of recipe files."""
    film = _build_settings_schema(FilmRecipe)
    photo = _build_settings_schema(Recipe)
    shot_properties = {name: photo["properties"][name] for name in SHOT_KEYS}
    photo["properties"]["hue_range"]["items"] = _build_hue_range_schema()
    _constrain_hints(photo["properties"]["hint"]["items"])
    film["properties"]["shot"] = {
        "description": "Settings for the shot that holds a frame, counted from 0.",
        **_build_rows_schema({"frame": {"type": "integer", "minimum": 0}}, shot_properties),
    }
    overridable = {name: photo["properties"][name] for name in OVERRIDABLE}
    photo["properties"]["override"] = {
        "description": "Settings for photographs whose path below the scans matches.",
        **_build_rows_schema({"match": {"type": "string", "minLength": 1}}, overridable),
    }
    photo["properties"][FILM] = {**film, "description": "Settings that only films have."}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Recipe of archive-colorizer",
        **photo,
    }


def _build_rows_schema(required: dict[str, Any], optional: dict[str, Any]) -> dict[str, Any]:
    table = {"type": "object", "additionalProperties": False, "required": list(required)}
    return {"type": "array", "items": {**table, "properties": {**required, **optional}}}


def _constrain_hints(hints: dict[str, Any]) -> None:
    coordinates = {"items": {"type": "number", "minimum": 0}, "minItems": 2, "maxItems": 2}
    for name, constraints in (("at", coordinates), ("color", {"pattern": COLOR_PATTERN})):
        del hints["properties"][name]["default"]
        hints["properties"][name] |= constraints
    hints["required"] = ["at", "color"]


def _build_settings_schema(kind: type[Settings]) -> dict[str, Any]:
    texts = parse_descriptions(kind)
    properties: dict[str, dict[str, Any]] = {}
    for setting in fields(kind):
        type_name = _TYPES[type(setting.default)]
        schema: dict[str, Any] = {"default": to_plain(setting.default), "type": type_name}
        if rows := setting.metadata.get("rows"):
            schema["items"] = _build_settings_schema(rows)
        if setting.name in ("rate", "time_budget"):
            schema["type"] = ["string", "number"]
        if setting.name == "time_budget":
            schema["pattern"] = DURATION_PATTERN
        if setting.name == "device":
            schema["pattern"] = device.DEVICE_PATTERN
        for bound, word in (("low", "minimum"), ("high", "maximum")):
            if setting.metadata[bound] is not None:
                schema[word] = setting.metadata[bound]
        if choices := get_choices(setting):
            schema["enum"] = list(choices)
        if get_key(setting) in texts:
            schema["description"] = texts[get_key(setting)]
        properties[get_key(setting)] = schema
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _build_hue_range_schema() -> dict[str, Any]:
    """Return the schema of hue ranges, which may have a name instead of their bounds."""
    schema = _build_settings_schema(HueRange)
    for bound in ("from", "to"):
        del schema["properties"][bound]["default"]
    names = {"enum": list(NAMED_RANGES), "description": "Stands for from and to."}
    schema["properties"]["name"] = names
    nameless = {"not": {"required": ["name"]}, "required": ["from", "to"]}
    bare = {"not": {"anyOf": [{"required": [key]} for key in ("from", "to")]}}
    return {**schema, "oneOf": [nameless, {**bare, "required": ["name"]}]}


def parse_descriptions(kind: type[Settings]) -> dict[str, str]:
    """Return the description of each setting from the docstring; empty under `python -OO`."""
    names = {get_key(setting) for setting in fields(kind)}
    texts: dict[str, str] = {}
    current_names: list[str] = []
    for line in inspect.cleandoc(kind.__doc__ or "").splitlines():
        match = re.match(r"([a-z_0-9]+(?:, [a-z_0-9]+)*): (.*)", line)
        if match and set(match[1].split(", ")) <= names:
            current_names = match[1].split(", ")
            texts.update(dict.fromkeys(current_names, match[2]))
        else:
            texts.update({name: f"{texts[name]} {line.strip()}".strip() for name in current_names})
    return texts
