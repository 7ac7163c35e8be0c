"""Define sources and jobs, and what the jobs of a run share.

All records are frozen, hold only plain values and are small enough to travel between
processes in their thousands; none of them holds a pixel.  Paths are `str` with surrogate
escapes, so that names that are not UTF-8 survive.
"""

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta

from archive_colorizer.errors import FailureReason
from archive_colorizer.location import Location, ObjectLocation, to_location
from archive_colorizer.recipe.overrides import PhotoOverrides
from archive_colorizer.recipe.recipe import FilmRecipe, Recipe


@dataclass(frozen=True, slots=True)
class Stamp:
    """Result of `stat`: equal stamps mean unchanged, unequal ones mean "compare the hash".

    The stamp of an object has a hash of its version (ETag) as `inode`, and no ctime.
    """

    size: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def from_stat(cls, status: os.stat_result) -> "Stamp":
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


NO_STAMP: Final = Stamp(0, 0, 0, 0)
"""Stamp of a file that was not examined, and of a key that is not an object."""

Role: TypeAlias = Literal["mask", "hints"]
"""Purpose of a companion."""


@dataclass(frozen=True, slots=True)
class Companion:
    """A picture next to a photograph, called `name`, that specifies some of its color.

    `stamp` is None if `stat` failed, `sha256` is None until the picture is read.
    """

    role: Role
    name: str
    stamp: Stamp | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A file or an object to restore.

    root: absolute folder, or URL of a folder in an object store.  relative: path below `root`,
    with forward slashes.  prefix: output folder for results of this root, empty if the run has
    one root.  fixity: required checksum as `algorithm:digest`, empty if unknown.  overrides:
    settings files that apply, the nearest last; own: their content.  beside: its companions.
    """

    root: str
    relative: str
    stamp: Stamp
    prefix: str = ""
    fixity: str = ""
    overrides: tuple[str, ...] = ()
    own: PhotoOverrides | None = None
    beside: tuple[Companion, ...] = ()

    @property
    def path(self) -> Path:
        """Path of a source that is not in an object store."""
        return Path(self.root, self.relative)

    @property
    def location(self) -> Location:
        return to_location(self.root) / self.relative

    @property
    def name(self) -> str:
        """The name of this source in the manifest and in its job's key."""
        return f"{self.prefix}/{self.relative}" if self.prefix else self.relative

    def find_errno(self, error: BaseException) -> int | None:
        """Return the errno behind an error that this source met, searching the error's causes.

        Returns None if a store denied access: credentials are at fault then, not the object.
        """
        cause: BaseException | None = error
        while cause is not None and not (isinstance(cause, OSError) and cause.errno):
            cause = cause.__cause__ or cause.__context__
        if not isinstance(cause, OSError) or (
            isinstance(cause, PermissionError) and isinstance(self.location, ObjectLocation)
        ):
            return None
        return cause.errno

    def reject(self, reason: str, message: str, *, failed: bool = False) -> "RejectedEntry":
        """Account for something that is not restored."""
        return RejectedEntry(self.root, self.relative, reason, message, failed, self.prefix)

    def reject_unreadable(self, error: OSError) -> "RejectedEntry":
        """Account for a file that cannot be read."""
        message = f"{self.relative} cannot be read: {error.strerror}"
        rejected = self.reject(FailureReason.UNREADABLE, message, failed=True)
        return replace(rejected, errno=self.find_errno(error))


@dataclass(frozen=True, slots=True)
class RejectedEntry:
    """An entry below a root that is not a photograph to restore, and the reason.

    errno: the system's error number, if reading the entry failed.
    """

    root: str
    relative: str
    reason: str
    message: str
    failed: bool = False
    prefix: str = ""
    errno: int | None = None

    @property
    def name(self) -> str:
        return f"{self.prefix}/{self.relative}" if self.prefix else self.relative


@dataclass(frozen=True, slots=True)
class Shot:
    """A film between two cuts: frames `first` (from 0) up to, but excluding, `last`.

    The other fields override settings for this shot.  model: a name or a file.
    """

    first: int
    last: int
    model: str | None = None
    strength: float | None = None
    saturation: float | None = None
    hue: float | None = None
    value: float | None = None

    @property
    def frames(self) -> int:
        return self.last - self.first


@dataclass(frozen=True, slots=True)
class ShotPart:
    """The frames of a shot that one job restores: `first` up to, but excluding, `last`.

    A job may also read other frames of the shot, so that parts fit together.
    """

    shot: Shot
    first: int
    last: int

    @property
    def frames(self) -> int:
        return self.last - self.first

    @property
    def name(self) -> str:
        return f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True)
class Job:
    """One source, or a piece of one, and the location of its result.

    target: path below the output, with forward slashes.  replaces: whether `target` is an
    earlier result that may be replaced; sidecar_sha256: digest of that result's sidecar.
    piece: name of a piece of the source, and part: its frames; empty and None for the whole
    source.  memory: bytes that a worker needs, 0 if unknown.
    """

    key: str
    source: Source
    target: str
    replaces: bool = False
    sidecar_sha256: str | None = None
    piece: str = ""
    part: ShotPart | None = None
    memory: int = 0

    @property
    def name(self) -> str:
        """The name of this job's outcome in the manifest."""
        return f"{self.source.name}#{self.piece}" if self.piece else self.source.name


@dataclass(frozen=True, slots=True)
class ShotModel:
    """A model that shots of a film select by `name`."""

    name: str
    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class JobContext:
    """Settings, models and folders that all jobs of a run share on a worker.

    output: a folder, or the URL of one in an object store.  work: folder inside the output for
    temporary files and journals, empty for an object store.  threads: per picture.  film:
    settings that only films have; shot_models: models that their shots select.  merge: path of
    a second model, empty if there is none.
    """

    output: str
    work: str
    recipe: Recipe
    model: str
    model_sha256: str
    threads: int = 1
    film: FilmRecipe | None = None
    merge: str = ""
    merge_sha256: str = ""
    shot_models: tuple[ShotModel, ...] = ()

    @property
    def models_sha256(self) -> str:
        """The digest of the model, or of both, joined by a plus sign."""
        return f"{self.model_sha256}+{self.merge_sha256}" if self.merge else self.model_sha256

    def for_source(self, source: Source) -> "JobContext":
        """Return the context with the overrides of this source applied."""
        if source.own is None:
            return self
        return replace(self, recipe=source.own.apply_to(self.recipe))

    @property
    def settings(self) -> str:
        """The digest of all settings that change pixels."""
        photo_digest = self.recipe.compute_digest()
        if self.film is None:
            return photo_digest
        return hashlib.sha256(f"{photo_digest} {self.film.compute_digest()}".encode()).hexdigest()
