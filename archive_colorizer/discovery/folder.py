"""A folder on the way of the walk, and what in it belongs to photographs."""

from collections.abc import Sequence
from dataclasses import replace

from archive_colorizer.discovery.classify import is_photograph_name
from archive_colorizer.discovery.companions import Companions
from archive_colorizer.recipe.overrides import OVERRIDES_FILE
from archive_colorizer.records.jobs import RejectedEntry, Source
from archive_colorizer.storage.interface import Listing


class Folder:
    """A listed folder: which names are still to visit, and which belong to a photograph.

    path: relative to the root.  names: those that count, by default all that are listed.
    above: the files of settings of the folders above.
    """

    def __init__(
        self,
        path: str,
        listing: Listing,
        names: Sequence[str] | None = None,
        above: tuple[str, ...] = (),
    ) -> None:
        names = listing.names if names is None else names
        self.path = path
        self.listing = listing
        self.remaining = iter(names)
        self._settings = {name for name in names if name.endswith(f".{OVERRIDES_FILE}")}
        # Other names are looked up only next to files of settings for one photograph.
        self._names = frozenset(names) if self._settings else frozenset()
        self.companions = Companions.find(names, is_photograph_name)
        self._above = (*above, self.join(OVERRIDES_FILE)) if OVERRIDES_FILE in names else above

    def join(self, name: str) -> str:
        """The path of `name` relative to the root."""
        return f"{self.path}/{name}" if self.path else name

    def enter(self, name: str, listing: Listing) -> "Folder":
        return Folder(self.join(name), listing, above=self._above)

    def find_settings_owner(self, name: str) -> str | None:
        """What a file of settings is for; None for any other file."""
        if name == OVERRIDES_FILE:
            return "this folder"
        if name not in self._settings:
            return None
        owner = name.removesuffix(f".{OVERRIDES_FILE}")
        return owner if owner in self._names else f"{owner}, which is not there"

    def reject_companion(self, source: Source, name: str) -> RejectedEntry | None:
        """Account for a picture that belongs to a photograph; None for any other file."""
        if name not in self.companions.owners:
            return None
        owner = self.companions.owners[name]
        message = f"{source.relative} is {self.companions.describe_role(name)} of {owner}"
        if owner is None:
            message = (
                f"{source.relative} is not used: its photograph has one that bears its whole name"
            )
        return source.reject("companion", message)

    def attach(self, entry: Source | RejectedEntry, name: str) -> Source | RejectedEntry:
        """Attach to a photograph the settings and pictures that are for it."""
        if not isinstance(entry, Source):
            return entry
        settings = f"{name}.{OVERRIDES_FILE}"
        overrides = self._above
        if settings in self._settings:
            overrides = (*overrides, self.join(settings))
        if overrides:
            entry = replace(entry, overrides=overrides)
        return self.companions.attach(entry, name, self.listing)
