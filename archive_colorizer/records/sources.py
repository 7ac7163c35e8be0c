"""What was found below a root: sources with what is for each, and what is none."""

from dataclasses import dataclass
from pathlib import Path

from archive_colorizer.location import Place, place_of
from archive_colorizer.recipe.fields import Settings
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.stamps import Companion, Stamp


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


@dataclass(frozen=True, slots=True)
class Source:
    """A file or an object to restore.

    `root` is the absolute directory, or the address, that was asked for; `relative` the path
    below it with forward slashes; `prefix` the folder of the output that this root's results
    go to (empty unless a run has several roots).  `fixity`, as `algorithm:digest`, is what the
    content must have where somebody has vouched for it.  `overrides` are the files of settings
    that lie beside it or above, below `root`, the nearest last; `own` is what they say.
    `beside` are the pictures beside it that say more about its color.
    """

    root: str
    relative: str
    stamp: Stamp
    prefix: str = ""
    fixity: str = ""
    overrides: tuple[str, ...] = ()
    own: Own | None = None
    beside: tuple[Companion, ...] = ()

    @property
    def path(self) -> Path:
        """Of a file."""
        return Path(self.root, self.relative)

    @property
    def place(self) -> Place:
        """Of a file or an object."""
        return place_of(self.root) / self.relative

    @property
    def name(self) -> str:
        """The name of this source in the manifest and in its job's key."""
        return f"{self.prefix}/{self.relative}" if self.prefix else self.relative


@dataclass(frozen=True, slots=True)
class Unfit:
    """Something found below a root that is no photograph to restore, and why."""

    root: str
    relative: str
    reason: str
    message: str
    failed: bool = False
    prefix: str = ""

    @property
    def name(self) -> str:
        return f"{self.prefix}/{self.relative}" if self.prefix else self.relative
