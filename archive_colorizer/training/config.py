"""TrainingRecipe: everything that a training run may choose, read from TOML.

Defaults < recipe file < options given.  Unknown keys are errors that name the nearest one.
"""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A share of the run at one crop size (pixels, a multiple of 32) and one batch size."""

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
    """How often (0 to 1) and how strongly a crop is made to look old; see `augment`.

    share: of tone, blur and grain together.  `grain` is the greatest standard deviation, as
        a share of white; `blur` the greatest sigma in pixels; `fade` the greatest part of
        the range of grey that is lost.
    response_share, orthochromatic_share: of another film response than the eye's, and,
        among those, of films that are blind to red.
    Each further kind has a share and, by its own name, the greatest strength: `border` is a
        width as a share of the crop's side, all others are parts of the light.
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

    @classmethod
    def never(cls) -> Self:
        """No crop is changed: every share is 0."""
        return cls(**{f.name: 0.0 for f in fields(cls) if f.name.endswith("share")})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecipe:
    """The settings of one training run.

    name, data_sheet: words for the model's card: what it is, which data and version.
    licence: of the model, as its contract states it; what the photographs allow.
    network, network_kwargs, encoder_weights, frozen_blocks: see `network`; the stem and the
        first `frozen_blocks` blocks of an encoder with weights keep those; 0 frees all.
    frozen_filters: whether the depthwise filters and the norms of such an encoder keep theirs;
        they are few, good for any picture, and slow to train.
    working_size: pixels of the shorter side that the exported model asks for, and at which
        validation measures: smaller squares hide what larger crops have gained.
    seed: of weights, of drawing and of aging.
    minutes: length of the run by the clock; 0 means `crops` decides.
    crops: length of the run in crops, when `minutes` is 0.
    phases: crop and batch sizes, in order, by share of the run.
    rate, encoder_factor, weight_decay, warmup: AdamW's peak rate, the factor on it for the
        encoder, its decay, and the share of the run over which the rate rises.
    ema: decay of the averaged weights, a step.
    objective: see `objective`: perceived or chroma.
    colorfulness_weight: for perceived: what missing or overdone chroma costs beside hue.
    saturation_weight: for chroma: a pixel weighs 1 + this x its saturation (0 to 1).
    huber: for chroma: error in CbCr at which the loss turns from square to straight.
    average_weight: for chroma: weight of the error of the mean color of blocks and pictures.
    epoch: crops between two validations.  validation_share, validation_photos: part of the
        groups kept aside, and the most photos that are measured.
    best_by: what makes a validation the best: perceived (CIEDE2000 plus colorfulness_weight x
        the gap in colorfulness) or ciede2000.
    patience: validations without a better one after which the run ends; 0 never ends it.
    checkpoint_minutes: time between two checkpoints.  threads: torch's; 0 leaves its own.
    memory_gb: 10^9 bytes; photos that take more together stay on disk, and each is read when
        it is wanted.  readers: processes that make batches; 0 is one thread.
    precision: float32, bfloat16 or float16 inside of the network while it is trained; auto is
        a half precision on CUDA, and float32 on a CPU.
    compile: have torch.compile translate the network; needs a C++ compiler, and minutes.
    weights: factor on the chance of a source or family; 0 leaves it out.
    families: sources that share one weight, by the square root of their size together.
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
        for name in (
            "minutes",
            "saturation_weight",
            "average_weight",
            "weight_decay",
            "colorfulness_weight",
            "patience",
            "memory_gb",
            "readers",
        ):
            if not getattr(self, name) >= 0:
                raise UsageError(f"{name} must be 0 or more, not {getattr(self, name)!r}")
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise UsageError(
                    f"{name} must be one of {', '.join(known)}, not {getattr(self, name)!r}"
                )
        if self.working_size < 32 or self.working_size % 32:
            raise UsageError(f"working_size must be a multiple of 32, not {self.working_size}")
        for name in ("ema", "warmup", "validation_share", "encoder_factor"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} must be between 0 and 1, not {getattr(self, name)!r}")

    def as_dict(self) -> dict[str, Any]:
        """All settings as plain values, for checkpoints and model cards."""
        return asdict(self)

    def changed(self, given: Mapping[str, Any], origin: str) -> Self:
        """This recipe with the settings of `given`; `origin` names them in errors.

        Raises UsageError for unknown keys, wrong types and values out of bounds.
        """
        reject_unknown(given, [f.name for f in fields(self)], origin)
        try:
            values = {key: _read(key, value, getattr(self, key)) for key, value in given.items()}
            return replace(self, **values)
        except (UsageError, TypeError, ValueError) as error:
            raise UsageError(f"{origin}: {error}") from None

    def phase_at(self, progress: float) -> Phase:
        """The phase of a run of which `progress` (0 to 1) is done."""
        total = sum(phase.share for phase in self.phases)
        end = 0.0
        for phase in self.phases:
            end += phase.share / total
            if progress < end:
                return phase
        return self.phases[-1]


def load_training_recipe(path: Path) -> TrainingRecipe:
    """Read a training recipe; raises UsageError that names the file."""
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"training recipe {path}: {error}") from None
    return TrainingRecipe().changed(given, f"training recipe {path}")


def _read(key: str, value: Any, default: Any) -> Any:
    if key == "phases":
        return tuple(_table(Phase, one, "phases") for one in value)
    if key == "aging":
        return value if isinstance(value, Aging) else _table(Aging, value, "aging")
    if key == "families":
        return {name: tuple(members) for name, members in value.items()}
    if isinstance(default, Mapping):
        return dict(value)
    if isinstance(default, float) and type(value) is int:
        return float(value)
    if type(value) is not type(default):
        raise UsageError(f"{key} must be {type(default).__name__}, not {value!r}")
    return value


def _table(kind: type[Any], given: Any, name: str) -> Any:
    if isinstance(given, kind):
        return given
    if not isinstance(given, Mapping):
        raise UsageError(f"{name} must be a table, not {given!r}")
    reject_unknown(given, [f.name for f in fields(kind)], name)
    return kind(**given)
