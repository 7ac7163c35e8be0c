"""Define the outcome of a job, and the provenance of a run."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, TypeAlias

from msgspec import Meta

from archive_colorizer.errors import FailureReason
from archive_colorizer.recipe.overrides import PhotoOverrides
from archive_colorizer.records.jobs import Companion, Job, Stamp

Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""A number of pixels or frames that tables can hold; a line with another one is refused."""

Figure: TypeAlias = Annotated[float, Meta(ge=-1e300, le=1e300)]
"""A finite number: a line of the manifest with NaN or infinity is refused."""

ALREADY_COLOR = "already-color"
"""Reason of a skip."""


class State(StrEnum):
    """How a job ended."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """The figures behind `Outcome.weak`: how weak the color of a result is.

    Measured on the network's mask: grey: mean length of chroma, 0..0.5; one_color: share of it
    that points in one direction, 0..1; blotches: chroma that changes without an edge, 0..0.5.
    Measured after corrections: skin: distance of the most unusual face from the color of skin,
    in standard deviations, None without a face; clipped: share of midtones at the edge of the
    gamut, 0..1.
    """

    grey: Figure
    one_color: Figure
    blotches: Figure
    clipped: Figure
    skin: Figure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of one job: a line of the manifest.

    name: see `Job.name`.  reason: slug of a skip or a failure (see `FailureReason`); message:
    one sentence about it; errno: the system's error number behind it, which the manifest
    leaves out.  settings: digest of the settings, including the overrides in `own`.
    sidecar_sha256: digest of the metadata file next to the target, if there is one.  provider:
    the onnxruntime provider that the session used.  weak: names of the `measures` beyond the
    run's thresholds.  width, height: of the upright picture, in pixels.  beside: companions
    that were used.  frames: number of frames of a film or a part; first: the first frame of
    the source that a film contains, if it is not frame 0.  seconds: wall time on the worker.
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
    own: PhotoOverrides | None = None
    provider: str | None = None
    width: Count | None = None
    height: Count | None = None
    beside: tuple[Companion, ...] = ()
    frames: Count | None = None
    first: Count | None = None
    seconds: Figure = 0.0
    errno: int | None = field(default=None, compare=False)

    @classmethod
    def from_failure(cls, job: Job, reason: FailureReason, message: str) -> "Outcome":
        """Build that of a job that was never sent to a worker, or never came back."""
        return cls(
            key=job.key,
            name=job.name,
            state=State.FAILED,
            source_stamp=job.source.stamp,
            beside=job.source.beside,
            reason=reason,
            message=message,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """How the outcomes that follow were made: the manifest line that begins each run."""

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
