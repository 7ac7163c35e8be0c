"""Own settings: what each photograph that is found has for itself, by the files beside it."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeAlias

from archive_colorizer.errors import ArchiveColorizerError, SourceError, UsageError
from archive_colorizer.location import place_of
from archive_colorizer.recipe.files import Layer
from archive_colorizer.recipe.overrides import SETTINGS, Overriding, own_of, parse_override
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import NO_STAMP, Source, Unfit
from archive_colorizer.storage.reading import read_source

_Found: TypeAlias = dict[str, Any] | UsageError
_Read: TypeAlias = Callable[[str, str], _Found]
_KEPT: Final = 256
"""Files kept in memory as read; those of a folder and its photographs come one after the other."""


def with_own(
    entries: Iterable[Source | Unfit], recipe: Recipe, overriding: Overriding
) -> Iterator[Source | Unfit]:
    """The entries, each source with its own settings.

    A source whose overrides cannot be meant comes as a failure that names their file: it is
    never restored with other settings than those that somebody wrote down for it.
    """
    read = lru_cache(maxsize=_KEPT)(_read)
    for entry in entries:
        if isinstance(entry, Unfit):
            yield entry
            continue
        try:
            layers = _layers(entry, overriding, read)
            own = own_of(recipe, overriding, layers)
        except UsageError as error:
            where = (entry.root, entry.relative, error.reason, f"{entry.relative}: {error}")
            yield Unfit(*where, failed=True, prefix=entry.prefix)
        else:
            yield entry if own is None else replace(entry, own=own)


def layers_beside(photo: Path, overriding: Overriding, scans: Path | None = None) -> list[Layer]:
    """Whose settings count for a photograph below `scans`, the weakest first.

    scans: the root of the run that is meant, by default the photograph's folder.  Raises
    SourceError when the photograph is not there, UsageError when it is not below `scans`, and
    for settings that cannot be meant.
    """
    place = Path(os.path.realpath(photo.parent), photo.name)
    root = Path(os.path.realpath(photo.parent if scans is None else scans))
    if not place.is_relative_to(root):
        raise UsageError(f"{photo} does not lie below {scans}")
    if not os.path.lexists(place):
        raise SourceError(f"{photo}: there is no such file")
    relative = place.relative_to(root)
    above = [folder / SETTINGS for folder in reversed(relative.parents)]
    files = [*above, relative.with_name(f"{relative.name}.{SETTINGS}")]
    there = tuple(one.as_posix() for one in files if os.path.lexists(root / one))
    source = Source(str(root), relative.as_posix(), NO_STAMP, overrides=there)
    return _layers(source, overriding, _read)


def _layers(source: Source, overriding: Overriding, read: _Read) -> list[Layer]:
    """The tables and files that are about a source, the weakest first; raises UsageError."""
    layers: list[Layer] = [
        (one.name, one.given) for one in overriding.globs if one.matches(source.relative)
    ]
    for name in source.overrides:
        found = read(source.root, name)
        if isinstance(found, UsageError):
            raise found
        layers.append((name, found))
    return layers


def _read(root: str, name: str) -> _Found:
    """The settings in a file, or what is wrong with it; so that this, too, is found once."""
    try:
        data, _ = read_source(place_of(root) / name)
        return parse_override(data, name)
    except ArchiveColorizerError as error:
        return UsageError(str(error))
