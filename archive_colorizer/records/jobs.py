"""The words of a run: what is to be done, what was done, and by what means.

All records are frozen, hold only plain values and are small enough to travel between
processes in their thousands; none of them holds a pixel.  Paths are `str` with
surrogate escapes, so that names which are no UTF-8 survive.
"""

import hashlib
from dataclasses import dataclass, replace

from archive_colorizer.recipe.overrides import Own as Own
from archive_colorizer.recipe.recipe import FilmRecipe, Recipe
from archive_colorizer.records.sources import NO_STAMP as NO_STAMP
from archive_colorizer.records.sources import Companion as Companion
from archive_colorizer.records.sources import Role as Role
from archive_colorizer.records.sources import Source as Source
from archive_colorizer.records.sources import Stamp as Stamp
from archive_colorizer.records.sources import Unfit as Unfit


@dataclass(frozen=True, slots=True)
class Shot:
    """A film between two cuts: frames `first` (from 0) to before `last`.

    The rest are settings for this shot alone, where they are given: `model` is a name or a
    file, the others are as in the Recipe.
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
class Part:
    """What one job restores of a shot: frames `first` to before `last`, all of them or some.

    The shot's other frames may be looked at, so that parts fit together.
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
    """One source, or a piece of one, and the place of its result.

    `target` is relative to the output, with forward slashes.  `replaces` says that the
    manifest knows the file at `target` as an earlier result, which may be replaced, and
    `sidecar_sha256` what the sidecar beside that result was.  `piece` says what of the
    source this job is about, and `part` which frames, where it is not about all of it.
    `memory` is how many bytes a worker takes for it, 0 where that is not known beforehand.
    """

    key: str
    source: Source
    target: str
    replaces: bool = False
    sidecar_sha256: str | None = None
    piece: str = ""
    part: Part | None = None
    memory: int = 0

    @property
    def name(self) -> str:
        """The name of this job's outcome in the manifest."""
        return f"{self.source.name}#{self.piece}" if self.piece else self.source.name


@dataclass(frozen=True, slots=True)
class ShotModel:
    """A model that shots of a film ask for by `name`: the file that is meant, and its digest."""

    name: str
    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Workplace:
    """What all jobs of a run share on a worker.

    `output` is a path or an address.  `work` is the run's own folder inside the output, where
    temporary files and the worker's journal live; empty for an address.  `threads` is the
    number of threads one worker may use.  `film` are the settings that only films have, and
    `shot_models` what their shots ask for.  `merge` is a second model, empty if there is none.
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
        """The digest of the model, or those of both, first + second."""
        return f"{self.model_sha256}+{self.merge_sha256}" if self.merge else self.model_sha256

    def of(self, source: Source) -> "Workplace":
        """The workplace with the settings that this source has for itself."""
        return self if source.own is None else replace(self, recipe=source.own.over(self.recipe))

    @property
    def settings(self) -> str:
        """The digest of all settings that change pixels here."""
        photo = self.recipe.digest()
        if self.film is None:
            return photo
        return hashlib.sha256(f"{photo} {self.film.digest()}".encode()).hexdigest()
