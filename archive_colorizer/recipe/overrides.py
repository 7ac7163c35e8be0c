"""Override settings for single photographs and folders.

Overrides are tables `[[override]]` of a recipe, for photographs whose path matches; files
`colorize.toml`, for a folder and everything below it; and files `name.ext.colorize.toml`, for
one photograph.  Precedence: recipe < tables < folders, from the outermost < photograph < options.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Self

from archive_colorizer.errors import UsageError
from archive_colorizer.recipe.fields import reject_unknown, require_table, to_plain
from archive_colorizer.recipe.files import Layer, RecipeTables, exclude_keys
from archive_colorizer.recipe.recipe import DEFAULTS, Recipe, expand_preset

TABLE: Final = "[[override]]"

OVERRIDES_FILE: Final = "colorize.toml"
"""File of settings for a folder; prefixed with the name of a photograph, for that one."""

MAX_FILE_BYTES: Final = 1 << 16
"""Limit of a file of overrides, which is written by hand."""

_PHOTO_KEYS: Final = frozenset({"preset", "force"})
_RUN_KEYS: Final = frozenset({"c2pa", "reference_sha256"})
"""Settings that are checked or computed once, before a run begins."""

_COSTLY_SETTINGS: Final[Mapping[str, float]] = {
    "working_size": 1024,
    "sharpen_radius": 10,
    "hue_range": 64,
    "hint": 1024,
}
"""What a file among the scans may set, in numbers of tables for the last two."""

OVERRIDABLE: Final = tuple(
    setting.name
    for setting in fields(Recipe)
    if setting.name in _PHOTO_KEYS or (setting.metadata["pixels"] and setting.name not in _RUN_KEYS)
)


@dataclass(frozen=True, slots=True)
class PhotoOverrides:
    """Hold the settings of one photograph that differ from those of the run.

    names: of the overrides, strongest last.  settings: plain values.  run: digest of the run's
    recipe.
    """

    names: tuple[str, ...]
    settings: dict[str, object]
    run: str

    def apply_to(self, recipe: Recipe) -> Recipe:
        """Return the recipe of the photograph from that of the run."""
        return recipe.replace_values(self.settings, ", ".join(self.names))


@dataclass(frozen=True, slots=True, eq=False)
class GlobOverride:
    """Hold settings for photographs whose path below the scans matches `glob`."""

    glob: str
    settings: Mapping[str, object]

    @property
    def name(self) -> str:
        """The name of this override in messages and results."""
        return f"{TABLE} {self.glob}"

    def is_match(self, relative: str) -> bool:
        """Return whether this path below the scans matches; see `_compile_glob`."""
        return _compile_glob(self.glob).fullmatch(relative) is not None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OverrideRules:
    """Hold the tables of the recipe, and the names of options, which no override changes."""

    globs: tuple[GlobOverride, ...] = ()
    fixed: frozenset[str] = frozenset()

    @classmethod
    def load(cls, path: Path | None, options: Mapping[str, object]) -> Self:
        """Return the rules of a recipe file, if any, and options; raises UsageError."""
        globs = parse_glob_overrides(RecipeTables.read(path).overrides, f"recipe {path}, ")
        return cls(globs=globs, fixed=frozenset(options))

    def resolve(self, recipe: Recipe, layers: Sequence[Layer]) -> PhotoOverrides | None:
        """Resolve the overrides of one photograph, weakest first; None if there are none.

        recipe: of the run, with its options.  Raises UsageError for settings that contradict each
        other.
        """
        if not layers:
            return None
        effective = recipe
        for origin, settings in layers:
            # A preset option replaces this preset, so remove it before expanding.
            chosen = exclude_keys(settings, self.fixed & {"preset"})
            free = exclude_keys(expand_preset(chosen), self.fixed)
            effective = effective.replace_values(free, origin)
        effective.check_combination()
        differing = {
            setting.name: to_plain(getattr(effective, setting.name))
            for setting in fields(Recipe)
            if getattr(effective, setting.name) != getattr(recipe, setting.name)
        }
        return PhotoOverrides(
            tuple(origin for origin, _ in layers), differing, recipe.compute_digest()
        )

    def check_costs(self, recipe: Recipe, files: Sequence[Layer]) -> None:
        """Raise UsageError for settings of files among the scans that take far too much work.

        Whoever starts the run may set more: a file may set twice what `recipe` does.
        """
        for origin, settings in files:
            for key in _COSTLY_SETTINGS.keys() & settings.keys() - self.fixed:
                own, chosen = _measure(getattr(recipe, key)), _measure(settings[key])
                most = max(_COSTLY_SETTINGS[key], 2 * own)
                if chosen > most:
                    raise UsageError(
                        f"{origin}: {key} {_describe(settings[key])} takes more work than a file "
                        f"among the scans may ask for, which is {most:g}; set it in the recipe "
                        "or as an option instead"
                    )


def _measure(value: Any) -> float:
    return len(value) if isinstance(value, Sequence) else float(value)


def _describe(value: Any) -> str:
    return f"with {len(value)} tables" if isinstance(value, Sequence) else f"{value:g}"


NO_OVERRIDE_RULES: Final = OverrideRules()


def parse_glob_overrides(tables: Sequence[object], origin: str) -> tuple[GlobOverride, ...]:
    """Check tables `[[override]]`; raises UsageError that begins with `origin`."""
    return tuple(_parse_glob_override(table, f"{origin}{TABLE}") for table in tables)


def _parse_glob_override(table: object, origin: str) -> GlobOverride:
    settings = require_table(table, origin)
    glob = settings.pop("match", None)
    if not isinstance(glob, str) or not glob:
        raise UsageError(f"{origin} needs a match, as in match = 'portraits/**', not {glob!r}")
    origin = f"{origin} {glob}"
    reject_unknown(settings, ("match", *DEFAULTS), origin)
    check_override(settings, origin)
    return GlobOverride(glob, settings)


def parse_override(data: bytes, origin: str) -> dict[str, Any]:
    """Parse and check a file of overrides; raises UsageError that begins with `origin`."""
    settings = parse_tables(data, origin)
    check_override(settings, origin)
    return settings


def parse_tables(data: bytes, origin: str) -> dict[str, Any]:
    """Parse a file of overrides without checking its settings; raises UsageError."""
    if len(data) > MAX_FILE_BYTES:
        raise UsageError(f"{origin}: longer than {MAX_FILE_BYTES} bytes, so no file of settings")
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{origin}: {error}") from None


def check_override(settings: Mapping[str, object], origin: str) -> None:
    """Raise UsageError for an unknown or invalid setting, and for one of the whole run."""
    reject_unknown(settings, list(DEFAULTS), origin)
    for key in settings:
        if key not in OVERRIDABLE:
            raise UsageError(
                f"{origin}: {key} is a setting of the whole run; give it as an option or in the "
                "recipe"
            )
    Recipe().apply(settings, origin)


def _compile_glob(glob: str) -> re.Pattern[str]:
    """Compile a glob over whole relative paths with `/`.

    `*` and `?` match within one folder, `**` matches any number of folders, and `[ab]` or
    `[!ab]` match one character.
    """
    pieces = (_translate_piece(match[0]) for match in _PIECE.finditer(glob))
    try:
        return re.compile("".join(pieces), re.DOTALL)
    except re.error:
        return re.compile(re.escape(glob))


_PIECE: Final = re.compile(r"\*\*/|\*\*|\*|\?|\[!?[^/\]]+\]|.", re.DOTALL)
_TRANSLATIONS: Final = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def _translate_piece(piece: str) -> str:
    if not piece.startswith("[") or len(piece) == 1:
        return _TRANSLATIONS.get(piece) or re.escape(piece)
    inside = piece[1:-1].replace("\\", "\\\\").replace("[", "\\[")
    inside = f"^/{inside[1:]}" if inside.startswith("!") else inside.replace("^", "\\^")
    return f"[{inside}]"
