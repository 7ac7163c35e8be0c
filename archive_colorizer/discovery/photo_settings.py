"""Apply the settings that files next to a photograph have for it alone."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeAlias

from archive_colorizer.errors import ArchiveColorizerError, SourceError, UsageError
from archive_colorizer.location import to_location
from archive_colorizer.recipe.files import Layer
from archive_colorizer.recipe.overrides import OVERRIDES_FILE, OverrideRules, parse_override
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import NO_STAMP, RejectedEntry, Source
from archive_colorizer.storage.reading import read_source

_Override: TypeAlias = dict[str, Any] | UsageError
_Read: TypeAlias = Callable[[str, str], _Override]
_CACHED_FILES: Final = 256


def apply_overrides(
    entries: Iterable[Source | RejectedEntry], recipe: Recipe, overriding: OverrideRules
) -> Iterator[Source | RejectedEntry]:
    """Yield the entries, each source with its own settings.

    A source whose overrides are invalid becomes a failure that names their file, because it must
    never be restored with other settings than those written down for it.
    """
    read = lru_cache(maxsize=_CACHED_FILES)(_read)
    for entry in entries:
        if isinstance(entry, RejectedEntry):
            yield entry
            continue
        try:
            layers = _read_layers(entry, overriding, read)
            overriding.check_costs(
                recipe, [layer for layer in layers if layer[0] in entry.overrides]
            )
            override = overriding.resolve(recipe, layers)
        except UsageError as error:
            yield entry.reject(error.reason, f"{entry.relative}: {error}", failed=True)
        else:
            yield entry if override is None else replace(entry, own=override)


def find_layers(photo: Path, overriding: OverrideRules, scans: Path | None = None) -> list[Layer]:
    """Find the settings that apply to a photograph below `scans`, the weakest first.

    scans: the root of a run, by default the photograph's folder.  Raises SourceError when the
    photograph is missing, and UsageError when it is not below `scans` or settings are invalid.
    """
    path = Path(os.path.realpath(photo.parent), photo.name)
    root = Path(os.path.realpath(photo.parent if scans is None else scans))
    if not path.is_relative_to(root):
        raise UsageError(f"{photo} does not lie below {scans}")
    if not os.path.lexists(path):
        raise SourceError(f"{photo}: there is no such file")
    relative = path.relative_to(root)
    above = [folder / OVERRIDES_FILE for folder in reversed(relative.parents)]
    files = [*above, relative.with_name(f"{relative.name}.{OVERRIDES_FILE}")]
    overrides = tuple(file.as_posix() for file in files if os.path.lexists(root / file))
    source = Source(str(root), relative.as_posix(), NO_STAMP, overrides=overrides)
    return _read_layers(source, overriding, _read)


def _read_layers(source: Source, overriding: OverrideRules, read: _Read) -> list[Layer]:
    """Read the tables and files that apply to a source, the weakest first; raises UsageError."""
    layers: list[Layer] = [
        (rule.name, rule.settings) for rule in overriding.globs if rule.is_match(source.relative)
    ]
    for name in source.overrides:
        override = read(source.root, name)
        if isinstance(override, UsageError):
            raise override
        layers.append((name, override))
    return layers


def _read(root: str, name: str) -> _Override:
    """Read the settings in a file; errors are returned, so that the cache holds them as well."""
    try:
        data, _ = read_source(to_location(root) / name)
        return parse_override(data, name)
    except ArchiveColorizerError as error:
        return UsageError(str(error))
