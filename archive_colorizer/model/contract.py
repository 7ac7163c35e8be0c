"""ModelContract: what a network expects and what it gives, carried inside its .onnx file.

Standard library only: training stamps it, a run reads it, and neither imports the other.
"""

import json
import math
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, TypeAlias, TypeVar, get_args, get_origin

from archive_colorizer.errors import ModelError

METADATA_KEY = "archive_colorizer.contract"
VERSION = 1

InputSpace = Literal["luma", "lab-l", "grey-rgb"]
OutputSpace = Literal["cbcr", "lab-ab", "rgb"]
Resize = Literal["square", "short-side", "long-side"]
Channels: TypeAlias = float | tuple[float, ...]
"""One number for all channels, or one for each."""

CHANNELS = {"luma": 1, "lab-l": 1, "grey-rgb": 3, "cbcr": 2, "lab-ab": 2, "rgb": 3}
"""How many planes a space has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputContract:
    """The input tensor: N x C x H x W, C = 1 (luma, lab-l) or 3 (grey-rgb), float32 or float16.

    Values are `(v - mean) / std`, where v is the picture in `space` scaled to `low`..`high`.
    `size` is the working size in pixels and `resize` the side that gets it; both sides are
    then rounded to `multiple_of`.  A square is filled, whatever the shape of the picture.
    """

    name: str
    space: InputSpace
    size: int
    resize: Resize
    multiple_of: int = 1
    low: float = 0.0
    high: float = 1.0
    mean: Channels = 0.0
    std: Channels = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputContract:
    """The output tensor: N x C x h x w, C = 2 (cbcr, lab-ab) or 3 (rgb), float32 or float16.

    Its values v stand for `v * std + mean`, of which `low`..`high` is the range: -0.5..0.5 for
    Cb and Cr of full-range BT.601, -128..127 for a and b of CIE Lab, 0..1 for rgb, or whatever
    the network was trained to.
    """

    name: str
    space: OutputSpace
    low: float
    high: float
    mean: Channels = 0.0
    std: Channels = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelContract:
    """Everything a run must know of a model; `training` holds facts for people."""

    name: str
    family: str
    licence: str
    input: InputContract
    output: OutputContract
    max_batch: int | None = None
    training: dict[str, Any] = field(default_factory=dict)
    version: int = VERSION

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str, origin: str) -> "ModelContract":
        """Read a contract; `origin` names the model in errors.

        Raises ModelError when the text is no contract of a version that this program knows.
        """
        try:
            raw = json.loads(text)
            if raw.get("version") != VERSION:
                raise ModelError(
                    f"{origin}: its contract has version {raw.get('version')!r}, this program "
                    f"reads {VERSION}; install the release that wrote the model"
                )
        except (ValueError, AttributeError, RecursionError) as error:
            raise ModelError(f"{origin}: its contract cannot be read ({error})") from None
        return cls.from_dict(raw, origin)

    @classmethod
    def from_dict(cls, raw: dict[str, Any], origin: str) -> "ModelContract":
        """Make a contract of plain values, as JSON and TOML give them; raises ModelError."""
        try:
            parts = {
                "input": _read(InputContract, raw["input"]),
                "output": _read(OutputContract, raw["output"]),
            }
            contract = _read(cls, raw | parts)
        except KeyError as error:
            raise ModelError(f"{origin}: its contract has no {error}") from None
        except (ValueError, TypeError, AttributeError) as error:
            raise ModelError(f"{origin}: its contract cannot be read ({error})") from None
        _check(contract, origin)
        return contract


def sized(contract: ModelContract, size: int) -> ModelContract:
    """The contract with a working size of about `size` pixels, or with its own for 0."""
    if size == 0:
        return contract
    step = contract.input.multiple_of
    whole = max(step, round(size / step) * step)
    return replace(contract, input=replace(contract.input, size=whole))


Part = TypeVar("Part", ModelContract, InputContract, OutputContract)


def _read(kind: type[Part], raw: dict[str, Any]) -> Part:
    """Make a part of a contract, holding its values to the types of its fields."""
    numbers = {"float": int | float, "int": int, "int | None": int | None, "str": str}
    hints = {one.name: one.type for one in fields(kind)}
    values: dict[str, Any] = {}
    for name, value in raw.items():
        wanted = hints.get(name)
        values[name] = value
        if wanted == Channels:
            values[name] = _channels(name, value)
            continue
        spelled = getattr(wanted, "__name__", str(wanted))
        allowed = numbers.get("str" if get_origin(wanted) is Literal else spelled)
        if allowed and (isinstance(value, bool) or not isinstance(value, allowed)):
            raise TypeError(f"{name} is {value!r}, which is no {spelled}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name} is {value!r}")
    return kind(**values)


def _channels(name: str, value: Any) -> Channels:
    """A number, or one for each channel, as JSON's list."""
    several: list[Any] = list(value) if isinstance(value, list | tuple) else [value]
    for one in several:
        if isinstance(one, bool) or not isinstance(one, int | float) or not math.isfinite(one):
            raise TypeError(f"{name} is {value!r}, which is no number, nor one for each channel")
    single: float = several[0] if several else 0.0
    return tuple(several) if isinstance(value, list | tuple) else single


def _check(contract: ModelContract, origin: str) -> None:
    given, made = contract.input, contract.output
    for value, allowed in (
        (given.space, get_args(InputSpace)),
        (made.space, get_args(OutputSpace)),
        (given.resize, get_args(Resize)),
    ):
        if value not in allowed:
            raise ModelError(f"{origin}: its contract says {value!r}; known are {allowed}")
    if not 0 < given.multiple_of <= given.size <= 4096:
        raise ModelError(f"{origin}: its contract asks for an impossible input size")
    if not (made.low < made.high and given.low < given.high):
        raise ModelError(f"{origin}: its contract has an empty range")
    if contract.max_batch is not None and contract.max_batch < 1:
        raise ModelError(f"{origin}: its contract asks for batches of {contract.max_batch}")
    for part in (given, made):
        for scale in (part.mean, part.std):
            if isinstance(scale, tuple) and len(scale) != CHANNELS[part.space]:
                raise ModelError(
                    f"{origin}: its contract has {len(scale)} numbers for the "
                    f"{CHANNELS[part.space]} channels of {part.space}"
                )
        if 0 in (part.std if isinstance(part.std, tuple) else (part.std,)):
            raise ModelError(f"{origin}: its contract asks for an impossible scale")
