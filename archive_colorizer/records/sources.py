"""What was found below a root: sources with what is for each, and what is none."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from archive_colorizer.location import Place, place_of
from archive_colorizer.recipe.overrides import Own


@dataclass(frozen=True, slots=True)
class Stamp:
    """What `stat` tells of a file: equal stamps mean unchanged, unequal ones mean "hash it".

    That of an object has its version (ETag) in the inode's place, and no ctime.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Stamp":
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


NO_STAMP: Final = Stamp(0, 0, 0, 0)
"""Of what was not looked at, and of keys that are no objects."""


Role: TypeAlias = Literal["mask", "hints"]
"""What a picture is to the photograph that it lies beside."""


@dataclass(frozen=True, slots=True)
class Companion:
    """A picture beside a photograph, of this name, that says more about its color.

    `stamp` is None where it could not be looked at, `sha256` before it was read.
    """

    role: Role
    name: str
    stamp: Stamp | None
    sha256: str | None = None


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
