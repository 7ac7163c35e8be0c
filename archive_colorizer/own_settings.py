"""Own settings: what each photograph that is found has for itself, by the files beside it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from archive_colorizer.errors import ArchiveColorizerError, UsageError
from archive_colorizer.media.discover import read_source
from archive_colorizer.overrides import Overriding, own_of, parse_override
from archive_colorizer.recipe import Layer, Recipe
from archive_colorizer.records import Source, Unfit

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
            layers: list[Layer] = [
                (one.name, one.given) for one in overriding.globs if one.matches(entry.relative)
            ]
            layers += [(name, _checked(read(entry.root, name))) for name in entry.overrides]
            own = own_of(recipe, overriding, layers)
        except UsageError as error:
            where = (entry.root, entry.relative, error.reason, f"{entry.relative}: {error}")
            yield Unfit(*where, failed=True, prefix=entry.prefix)
        else:
            yield entry if own is None else replace(entry, own=own)


def _read(root: str, name: str) -> dict[str, Any] | UsageError:
    """The settings in a file, or what is wrong with it; so that this, too, is found once."""
    try:
        data, _ = read_source(Path(root, name))
        return parse_override(data, name)
    except ArchiveColorizerError as error:
        return UsageError(str(error))


def _checked(found: dict[str, Any] | UsageError) -> dict[str, Any]:
    if isinstance(found, UsageError):
        raise found
    return found
