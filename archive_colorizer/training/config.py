"""Settings of a training run, read from TOML.

Defaults < recipe file < options.  Unknown keys are errors that name the nearest known key.
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

from archive_colorizer.errors import UsageError
from archive_colorizer.recipe.fields import reject_unknown

_CHOICES = {
    "precision": ("auto", "float32", "bfloat16", "float16"),
    "best_by": ("perceived", "ciede2000"),
}
_NOT_NEGATIVE = (
    "minutes saturation_weight average_weight weight_decay colorfulness_weight patience "
    "memory_gb readers consistency_weight"
).split()


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Describe a share of the run with one crop size (a multiple of 32) and one batch size."""

    share: float
    size: int
    batch: int

    def __post_init__(self) -> None:
        if not (self.share > 0 and self.size > 0 and self.size % 32 == 0 and self.batch > 1):
            raise UsageError(
                "a phase needs share > 0, a size that is a multiple of 32 and a batch of 2 or "
                f"more, not {asdict(self)}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Aging:
    """Describe how often (0 to 1) and how strongly crops are aged; see `augment`.

    share: of tone, blur and grain together.  response_share: of a film response other than the
        eye's; orthochromatic_share: of films blind to red among those.
    grain is the largest standard deviation, as a share of white; blur the largest sigma in
        pixels; fade the largest part of the grey range that is lost; border the largest width,
        as a share of the crop's side; all others are parts of the light.
    """

    share: float = 0.35
    response_share: float = 0.5
    orthochromatic_share: float = 0.4
    grain: float = 0.05
    blur: float = 1.2
    fade: float = 0.35
    halation_share: float = 0.08
    halation: float = 0.5
    shading_share: float = 0.08
    shading: float = 0.5
    tarnish_share: float = 0.02
    tarnish: float = 0.7
    stain_share: float = 0.03
    stain: float = 0.5
    screen_share: float = 0.02
    screen: float = 0.15
    crack_share: float = 0.0
    crack: float = 0.9
    fold_share: float = 0.0
    fold: float = 0.9
    scratch_share: float = 0.06
    scratch: float = 0.8
    dust_share: float = 0.08
    dust: float = 0.9
    border_share: float = 0.05
    border: float = 0.12
    jpeg_share: float = 0.15

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            high = {"blur": 4.0, "border": 0.3}.get(name, 1.0)
            if not 0.0 <= value <= high:
                raise UsageError(f"aging.{name} must be between 0 and {high:g}, not {value!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecipe:
    """Hold the settings of one training run.

    name, data_sheet, licence: text for the model card and contract.
    network, network_kwargs, encoder_weights: see `network`.
    frozen_blocks: the stem and so many blocks of a pretrained encoder stay fixed; 0 trains all.
    frozen_filters: keep its depthwise filters and norms fixed; they are slow to train.
    working_size: pixels of the shorter side for the exported model and for validation.
    minutes: duration of the run; 0 uses `crops`.
    crops: length of the run in crops, if `minutes` is 0.
    phases: crop and batch sizes, in order, by share of the run.
    rate, encoder_factor, weight_decay, warmup: AdamW's peak rate, its factor for the encoder,
        its decay, and the share of the run over which the rate rises.
    ema: decay of the averaged weights per step.
    objective: aligned, perceived or chroma; see `objective`.
    colorfulness_weight: for perceived: cost of missing or excessive chroma; for aligned: reward
        for chroma in the direction of the truth's.
    consistency_weight: cost of the CIEDE2000 difference between two views of a crop (mirrored,
        cut closer, aged otherwise); 0 draws one view of each.
    saturation_weight: for chroma: a pixel weighs 1 + this x its saturation (0 to 1).
    huber: for chroma: error in CbCr at which the loss turns from quadratic to linear.
    average_weight: for chroma: weight of the error of the mean color of blocks and pictures.
    epoch: crops between two validations.
    validation_share, validation_photos: share of the groups that are set aside, and the
        largest number of photos to measure.
    best_by: score of a validation: perceived (CIEDE2000 plus colorfulness_weight x the gap in
        colorfulness) or ciede2000.
    patience: validations without improvement that end the run; 0 never ends it.
    checkpoint_minutes: time between two checkpoints.  threads: of torch; 0 is its default.
    memory_gb: 10^9 bytes; photos that exceed it stay on disk.
    readers: processes that prepare batches; 0 is one thread.
    precision: float32, bfloat16 or float16 in the network during training; auto is a half
        precision on CUDA, and float32 on a CPU.
    compile: use torch.compile, which needs a C++ compiler and minutes.
    weights: factor on the chance of a source or family; 0 excludes it.
    families: sources that share one weight, by the square root of their total size.
    """

    name: str = "default"
    data_sheet: str = ""
    licence: str = "Apache-2.0"
    network: str = "mobile-unet"
    network_kwargs: Mapping[str, Any] = field(default_factory=dict)
    encoder_weights: str = "auto"
    frozen_blocks: int = 5
    frozen_filters: bool = True
    seed: int = 1
    minutes: float = 0.0
    crops: int = 200_000
    phases: tuple[Phase, ...] = (Phase(share=1.0, size=128, batch=16),)
    rate: float = 1.5e-3
    encoder_factor: float = 0.1
    weight_decay: float = 0.02
    warmup: float = 0.02
    ema: float = 0.999
    objective: str = "perceived"
    colorfulness_weight: float = 0.5
    consistency_weight: float = 0.0
    saturation_weight: float = 3.0
    huber: float = 0.05
    average_weight: float = 0.3
    epoch: int = 10_000
    validation_share: float = 0.03
    validation_photos: int = 160
    best_by: str = "perceived"
    patience: int = 0
    checkpoint_minutes: float = 5.0
    threads: int = 0
    memory_gb: float = 4.0
    readers: int = 0
    precision: str = "auto"
    compile: bool = False
    working_size: int = 256
    aging: Aging = field(default_factory=Aging)
    weights: Mapping[str, float] = field(default_factory=dict)
    families: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.phases:
            raise UsageError("a training recipe needs at least one phase")
        for name in ("crops", "rate", "huber", "epoch", "checkpoint_minutes"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} must be above 0, not {getattr(self, name)!r}")
        for name in _NOT_NEGATIVE:
            if not getattr(self, name) >= 0:
                raise UsageError(f"{name} must be 0 or more, not {getattr(self, name)!r}")
        for name, choices in _CHOICES.items():
            if (value := getattr(self, name)) not in choices:
                raise UsageError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
        if self.consistency_weight and any(phase.batch % 2 for phase in self.phases):
            raise UsageError(
                "consistency_weight needs phases with an even batch: half are second views"
            )
        if self.working_size < 32 or self.working_size % 32:
            raise UsageError(f"working_size must be a multiple of 32, not {self.working_size}")
        for name in ("ema", "warmup", "validation_share", "encoder_factor"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} must be between 0 and 1, not {getattr(self, name)!r}")

    def replace_settings(self, settings: Mapping[str, Any], origin: str) -> Self:
        """Return a copy with other `settings`; `origin` names them in errors.

        Raises UsageError for unknown keys, wrong types and values out of range.
        """
        reject_unknown(settings, [f.name for f in fields(self)], origin)
        try:
            values = {k: _parse_value(k, value, getattr(self, k)) for k, value in settings.items()}
            return replace(self, **values)
        except (UsageError, TypeError, ValueError) as error:
            raise UsageError(f"{origin}: {error}") from None

    def compute_rate(self, progress: float) -> float:
        """Compute the decoder's learning rate: a linear warmup, then a cosine down to 0."""
        if progress < self.warmup:
            return self.rate * progress / self.warmup
        decay_progress = (progress - self.warmup) / max(1e-9, 1.0 - self.warmup)
        return self.rate * 0.5 * (1.0 + math.cos(math.pi * decay_progress))

    def get_phase(self, progress: float) -> Phase:
        """Return the phase at a progress of 0 to 1."""
        total = sum(phase.share for phase in self.phases)
        end = 0.0
        for phase in self.phases:
            end += phase.share / total
            if progress < end:
                return phase
        return self.phases[-1]

    @classmethod
    def load(cls, path: Path) -> "TrainingRecipe":
        """Read a training recipe; raises UsageError, which names the file."""
        try:
            settings = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise UsageError(f"training recipe {path}: {error}") from None
        return cls().replace_settings(settings, f"training recipe {path}")


def _parse_value(key: str, value: Any, default: Any) -> Any:
    if key == "phases":
        return tuple(_parse_table(Phase, table, "phases") for table in value)
    if key == "aging":
        return value if isinstance(value, Aging) else _parse_table(Aging, value, "aging")
    if key == "families":
        return {name: tuple(members) for name, members in value.items()}
    if isinstance(default, Mapping):
        return dict(value)
    if isinstance(default, float) and type(value) is int:
        return float(value)
    if type(value) is not type(default):
        raise UsageError(f"{key} must be {type(default).__name__}, not {value!r}")
    return value


def _parse_table(cls: type[Any], value: Any, name: str) -> Any:
    if isinstance(value, cls):
        return value
    if not isinstance(value, Mapping):
        raise UsageError(f"{name} must be a table, not {value!r}")
    reject_unknown(value, [f.name for f in fields(cls)], name)
    return cls(**value)
