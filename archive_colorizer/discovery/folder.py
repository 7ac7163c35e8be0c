"""What lies beside photographs and is for them, as the listings of their folders show.

Files of settings, and pictures that say more about their color.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from archive_colorizer.discovery.classify import is_called_photograph
from archive_colorizer.discovery.companions import WORDS, Companions, find_companions, role_of
from archive_colorizer.recipe.overrides import SETTINGS
from archive_colorizer.records.jobs import Companion, Source, Stamp, Unfit

StampOf: TypeAlias = Callable[[str], Stamp | None]


def settings_beside(name: str) -> tuple[str, str]:
    """The names that files of settings for a photograph have in its folder, the nearest last."""
    return SETTINGS, f"{name}.{SETTINGS}"


def with_companions(source: Source, companions: Companions, name: str, stamp_of: StampOf) -> Source:
    """A source that is called so, with the pictures beside it and their stamps."""
    named = companions.of.get(name, ())
    if not named:
        return source
    return replace(source, beside=tuple(Companion(role, one, stamp_of(one)) for role, one in named))


class Folder:
    """A folder on the way: the names that are still to be seen, and what is for others of them."""

    def __init__(self, path: str, names: list[str], above: tuple[str, ...]) -> None:
        self.path = path
        self.names = iter(names)
        self._own = {name for name in names if name.endswith(f".{SETTINGS}")}
        # Only beside photographs with settings of their own others are looked up.
        self._all = frozenset(names) if self._own else frozenset()
        self.companions = find_companions(names, is_called_photograph)
        self._above = (*above, self.below(SETTINGS)) if SETTINGS in names else above

    def below(self, name: str) -> str:
        """The path below the root of what is called so here."""
        return f"{self.path}/{name}" if self.path else name

    def overrides_of(self, name: str) -> tuple[str, ...]:
        """The files of settings for what is called so here, the nearest last."""
        own = f"{name}.{SETTINGS}"
        return (*self._above, self.below(own)) if own in self._own else self._above

    def settings_for(self, name: str) -> str | None:
        """Whom a file of settings is for; None for any other file."""
        if name == SETTINGS:
            return "this folder"
        if name not in self._own:
            return None
        whose = name.removesuffix(f".{SETTINGS}")
        return whose if whose in self._all else f"{whose}, which is not there"

    def belonging(self, root: str, name: str, prefix: str) -> Unfit | None:
        """A picture that belongs to a photograph here, accounted for; None for any other file."""
        if name not in self.companions.owners:
            return None
        relative, owner = self.below(name), self.companions.owners[name]
        role = role_of(relative)
        what = WORDS[role] if role else "a companion"
        said = f"{relative} is {what} of {owner}"
        if owner is None:
            said = f"{relative} is not used: its photograph has one that bears its whole name"
        return Unfit(root, relative, "companion", said, prefix=prefix)

    def with_beside(self, found: Source | Unfit, name: str, stamp_of: StampOf) -> Source | Unfit:
        """What was found here and is called so, with the settings and pictures beside it.

        `stamp_of` is asked for the stamps of those pictures by their names here.
        """
        if not isinstance(found, Source):
            return found
        if overrides := self.overrides_of(name):
            found = replace(found, overrides=overrides)
        return with_companions(found, self.companions, name, stamp_of)

    def inside(self, name: str, names: list[str]) -> "Folder":
        """The folder that is called so here and holds these names."""
        return Folder(self.below(name), names, self._above)
