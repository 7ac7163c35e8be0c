"""What became of a job, and what a run was made with."""

from dataclasses import dataclass
from enum import StrEnum

from archive_colorizer.recipe.overrides import Own as Own
from archive_colorizer.records.sources import NO_STAMP as NO_STAMP
from archive_colorizer.records.sources import Companion as Companion
from archive_colorizer.records.sources import Role as Role
from archive_colorizer.records.sources import Source as Source
from archive_colorizer.records.sources import Stamp as Stamp
from archive_colorizer.records.sources import Unfit as Unfit


class State(StrEnum):
    """How a job ended."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """How weak the color of a result is: the figures behind `Outcome.weak`.

    Of the network's own mask, grey: mean length of chroma, 0..0.5; one_color: how much of it
    points one way, 0..1; blotches: chroma that comes and goes without an edge, 0..0.5.  After
    corrections, skin: distance of the oddest face from the color of skin in standard
    deviations, None without a face; clipped: share of midtones at the edge of the gamut, 0..1.
    """

    grey: float
    one_color: float
    blotches: float
    clipped: float
    skin: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one source: a line of the manifest.

    `name` is the job's name (see `Job.name`), `reason` a stable word for a skip or a
    failure and `message` the sentence beside it.  `settings` is the recipe's digest,
    with the settings that the photograph has for itself; those are in `own`.
    `sidecar_sha256` is that of the metadata beside the target, where there are any.
    `provider` is the onnxruntime provider that the session really used.  `weak` names what
    the color may be weak in by `measures` and the thresholds of the run.  `width`, `height`
    are those of the upright picture, in pixels.  `beside` are the pictures beside the source
    that had a say, as they were read.  `frames` are those of a film or of a part
    of one, and `first` the first of its source that a film holds, where that is not frame 0.
    `seconds` is wall time on the worker.
    """

    key: str
    name: str
    state: State
    source_stamp: Stamp | None = None
    source_sha256: str | None = None
    target: str | None = None
    target_stamp: Stamp | None = None
    target_sha256: str | None = None
    sidecar_sha256: str | None = None
    reason: str | None = None
    message: str | None = None
    warnings: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()
    measures: Measures | None = None
    model_sha256: str | None = None
    settings: str | None = None
    own: Own | None = None
    provider: str | None = None
    width: int | None = None
    height: int | None = None
    beside: tuple[Companion, ...] = ()
    frames: int | None = None
    first: int | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Who made the outcomes that follow: a line of the manifest that opens each run."""

    run: str
    started: str
    version: str
    command: tuple[str, ...]
    host: str
    roots: tuple[str, ...]
    recipe: dict[str, object]
    settings: str
    model: str
    model_sha256: str
    model_licence: str
    provider: str
    libraries: dict[str, str]
