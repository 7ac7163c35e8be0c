"""Overrides: settings of single photographs and folders, over those of the whole run.

They stand in tables `[[override]]` of a recipe, for photographs whose path matches, in files
`colorize.toml`, for a folder and all below it, and in `name.ext.colorize.toml`, for one.
Recipe < tables < folders, from the outermost < photograph < options of the command.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from archive_colorizer.errors import UsageError
from archive_colorizer.recipe.fields import Settings, plain_of, reject_unknown
from archive_colorizer.recipe.files import Layer, read_tables, without
from archive_colorizer.recipe.presets import expanded
from archive_colorizer.recipe.recipe import DEFAULTS, Recipe, check_together

TABLE: Final = "[[override]]"


SETTINGS: Final = "colorize.toml"
"""The file of settings for a folder; with a photograph's whole name before it, for that one."""


LARGEST: Final = 1 << 16
"""Bytes of a file of overrides; nobody writes a longer one by hand."""


_OF_PICTURES: Final = frozenset({"preset", "force"})


_OF_RUNS: Final = frozenset({"c2pa", "reference_sha256"})
"""What is checked, or found out, once, before a run begins."""


OVERRIDABLE: Final = tuple(
    one.name
    for one in fields(Recipe)
    if one.name in _OF_PICTURES or (one.metadata["pixels"] and one.name not in _OF_RUNS)
)


@dataclass(frozen=True, slots=True)
class Own:
    """What one photograph has for itself: settings that are not those of the whole run.

    names: of the overrides that say so, the strongest last.  settings: plain values that
    differ from the run's recipe, of which `run` is the digest.
    """

    names: tuple[str, ...]
    settings: dict[str, object]
    run: str

    def over(self, recipe: Recipe) -> Recipe:
        """The photograph's recipe, from that of the run."""
        return Settings.changed(recipe, self.settings, ", ".join(self.names))


@dataclass(frozen=True, slots=True, eq=False)
class GlobOverride:
    """Settings for photographs whose path below the scans matches `glob`."""

    glob: str
    given: Mapping[str, object]

    @property
    def name(self) -> str:
        """What this is called where it is told which overrides a result has."""
        return f"{TABLE} {self.glob}"

    def matches(self, relative: str) -> bool:
        """Whether a path below the scans is meant; see `pattern_of`."""
        return pattern_of(self.glob).fullmatch(relative) is not None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Overriding:
    """What of a job's settings stands above and below the files of overrides.

    globs: the recipe's tables.  fixed: settings given as options, which nothing overrules.
    """

    globs: tuple[GlobOverride, ...] = ()
    fixed: frozenset[str] = frozenset()


NO_OVERRIDES: Final = Overriding()


def load_overriding(path: Path | None, options: Mapping[str, object]) -> Overriding:
    """That of a recipe file, if there is one, and options; raises UsageError that names it."""
    tables = [] if path is None else read_tables(path).overrides
    globs = glob_overrides(tables, f"recipe {path}, ")
    return Overriding(globs=globs, fixed=frozenset(options))


def glob_overrides(tables: Sequence[object], origin: str) -> tuple[GlobOverride, ...]:
    """Those of unchecked tables; raises UsageError that begins with `origin`."""
    return tuple(_glob_override(table, f"{origin}{TABLE}") for table in tables)


def _glob_override(table: object, origin: str) -> GlobOverride:
    if not isinstance(table, dict):
        raise UsageError(f"{origin} must be a table, not {table!r}")
    given: dict[str, Any] = dict(table)
    glob = given.pop("match", None)
    if not isinstance(glob, str) or not glob:
        raise UsageError(f"{origin} needs a match, as in match = 'portraits/**', not {glob!r}")
    origin = f"{origin} {glob}"
    reject_unknown(given, ("match", *DEFAULTS), origin)
    check_override(given, origin)
    return GlobOverride(glob, given)


def parse_override(data: bytes, origin: str) -> dict[str, Any]:
    """The settings in a file of overrides; raises UsageError that begins with `origin`."""
    given = parse_tables(data, origin)
    check_override(given, origin)
    return given


def parse_tables(data: bytes, origin: str) -> dict[str, Any]:
    """What stands in such a file, unchecked; raises UsageError when that is no TOML."""
    if len(data) > LARGEST:
        raise UsageError(f"{origin}: longer than {LARGEST} bytes, so no file of settings")
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{origin}: {error}") from None


def check_override(given: Mapping[str, object], origin: str) -> None:
    """Raise UsageError for what is no setting, no sound one, or one of the whole run."""
    reject_unknown(given, list(DEFAULTS), origin)
    for key in given:
        if key not in OVERRIDABLE:
            raise UsageError(
                f"{origin}: {key} is a setting of the whole run; give it as an option or in the "
                "recipe"
            )
    Recipe().changed(given, origin)


def own_of(recipe: Recipe, overriding: Overriding, layers: Sequence[Layer]) -> Own | None:
    """What one photograph has for itself, by its overrides from the weakest to the strongest.

    recipe: the whole run's, with its options.  None where nothing overrides.  Raises
    UsageError for settings that cannot stand together.
    """
    if not layers:
        return None
    effective = recipe
    for origin, given in layers:
        # Before its preset is expanded, which an option may stand in for.
        chosen = without(given, overriding.fixed & {"preset"})
        free = without(expanded(chosen, DEFAULTS), overriding.fixed)
        effective = Settings.changed(effective, free, origin)
    check_together(effective)
    differing = {
        one.name: plain_of(getattr(effective, one.name))
        for one in fields(Recipe)
        if getattr(effective, one.name) != getattr(recipe, one.name)
    }
    return Own(tuple(origin for origin, _ in layers), differing, recipe.digest())


def pattern_of(glob: str) -> re.Pattern[str]:
    """A glob over whole relative paths with `/`, as a regular expression.

    `*` and `?` stay within one folder, `**` does not and may stand for no folder at all, and
    `[ab]` or `[!ab]` stand for one character.
    """
    written = []
    at = 0
    while at < len(glob):
        found = _PIECE.match(glob, at)
        piece = found[0] if found else glob[at]
        if piece.startswith("[") and len(piece) > 1:
            inside = piece[1:-1].replace("\\", "\\\\").replace("[", "\\[")
            inside = f"^/{inside[1:]}" if inside.startswith("!") else inside.replace("^", "\\^")
            written.append(f"[{inside}]")
        else:
            written.append(_MEANING.get(piece) or re.escape(piece))
        at += len(piece)
    try:
        return re.compile("".join(written), re.DOTALL)
    except re.error:
        return re.compile(re.escape(glob))


_PIECE: Final = re.compile(r"\*\*/|\*\*|\*|\?|\[!?[^/\]]+\]")


_MEANING: Final = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
