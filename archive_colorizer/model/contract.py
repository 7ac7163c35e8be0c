"""Define the contract of a network: what it expects and answers, stored inside its .onnx file.

Training writes contracts and a run reads them, so this module imports nothing but msgspec.
"""

import json
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Annotated, Any, Literal, TypeAlias, get_args

from msgspec import Meta, ValidationError, convert

from archive_colorizer.errors import ModelError

METADATA_KEY = "archive_colorizer.contract"
VERSION = 1

InputSpace = Literal["luma", "lab-l", "grey-rgb"]
OutputSpace = Literal["cbcr", "lab-ab", "rgb"]
Resize = Literal["square", "short-side", "long-side"]
Number: TypeAlias = int | Annotated[float, Meta(ge=-1e300, le=1e300)]
"""A finite number; integers stay integers, so that a contract is written as it was read."""
Channels: TypeAlias = Number | tuple[Number, ...]
"""One number for all channels, or one for each."""

CHANNELS = {"luma": 1, "lab-l": 1, "grey-rgb": 3, "cbcr": 2, "lab-ab": 2, "rgb": 3}
"""Number of planes of a space."""

_MAX_ASPECT = 4
"""A working size is at most this many times longer than wide; longer pictures are squeezed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputContract:
    """Describe the input, N x C x H x W, C = 1 (luma, lab-l) or 3 (grey-rgb), float32 or float16.

    Values are `(v - mean) / std`, where v is the picture in `space` scaled to `low`..`high`.
    `size` is the working size in pixels and `resize` the side that gets it; both sides are
    rounded to `multiple_of`.  A square is filled by a picture of any shape.
    """

    name: str
    space: InputSpace
    size: int
    resize: Resize
    multiple_of: int = 1
    low: Number = 0.0
    high: Number = 1.0
    mean: Channels = 0.0
    std: Channels = 1.0

    def compute_working_size(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of the input for a picture of height x width pixels."""
        if self.resize == "square":
            return self.size, self.size
        is_short = self.resize == "short-side"
        side = min(height, width) if is_short else max(height, width)
        longest = self.size * (_MAX_ASPECT if is_short else 1)

        def round_side(pixels: int) -> int:
            step = self.multiple_of
            side_length = min(pixels * self.size / side, longest)
            return max(step, round(side_length / step) * step)

        return round_side(height), round_side(width)

    def compute_side_bounds(self) -> tuple[int, int]:
        """Return the shortest and the longest side of all working sizes."""
        shapes = ((1, 1), (1, 1000), (1000, 1))
        sides = [side for shape in shapes for side in self.compute_working_size(*shape)]
        return min(sides), max(sides)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputContract:
    """Describe the output, N x C x h x w, C = 2 (cbcr, lab-ab) or 3 (rgb), float32 or float16.

    Its values v mean `v * std + mean`, whose range is `low`..`high`: -0.5..0.5 for Cb and Cr of
    full-range BT.601, -128..127 for a and b of CIE Lab, 0..1 for rgb, or as it was trained.
    `doubt` names a second output, if there is one: N x 1 x h x w, the CIEDE2000 difference from
    the true color that the network expects of itself.
    """

    name: str
    space: OutputSpace
    low: Number
    high: Number
    mean: Channels = 0.0
    std: Channels = 1.0
    doubt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelContract:
    """Hold everything a run must know of a model; `training` holds facts for people."""

    name: str
    family: str
    licence: str
    input: InputContract
    output: OutputContract
    max_batch: int | None = None
    training: dict[str, Any] = field(default_factory=dict)
    version: int = VERSION

    def to_json(self) -> str:
        values = asdict(self)
        if not self.output.doubt:  # programs that know of no doubt can read it
            del values["output"]["doubt"]
        return json.dumps(values, sort_keys=True)

    @classmethod
    def from_json(cls, text: str, origin: str) -> "ModelContract":
        """Parse a contract; `origin` names the model in a ModelError."""
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ModelError(f"{origin}: its contract cannot be read ({error})") from None
        version = raw.get("version") if isinstance(raw, dict) else None
        if version != VERSION:
            raise ModelError(
                f"{origin}: its contract has version {version!r}, this program "
                f"reads {VERSION}; install the release that wrote the model"
            )
        return cls.from_dict(raw, origin)

    @classmethod
    def from_dict(cls, raw: dict[str, Any], origin: str) -> "ModelContract":
        """Convert a contract from plain values of JSON or TOML; raises ModelError."""
        try:
            contract = convert(raw, cls)
        except (ValidationError, UnicodeError) as error:
            fault = _name_choices(str(error))
            raise ModelError(f"{origin}: its contract cannot be read ({fault})") from None
        parts = ((raw, cls, ""), (raw["input"], InputContract, "input."))
        for values, kind, prefix in (*parts, (raw["output"], OutputContract, "output.")):
            for key in values.keys() - {part.name for part in fields(kind)}:
                raise ModelError(f"{origin}: its contract has the unknown key {prefix}{key}")
        _check(contract, origin)
        return contract

    def resize(self, size: int) -> "ModelContract":
        """Return the contract with a working size of about `size` pixels, or as it is for 0."""
        if size == 0:
            return self
        step = self.input.multiple_of
        whole = max(step, round(size / step) * step)
        return replace(self, input=replace(self.input, size=whole))


def _name_choices(fault: str) -> str:
    choices = {"input.space": InputSpace, "output.space": OutputSpace, "input.resize": Resize}
    for key, words in choices.items():
        if f"`$.{key}`" in fault:
            return f"{fault}; known are {', '.join(get_args(words))}"
    return fault


def _check(contract: ModelContract, origin: str) -> None:
    source, answer = contract.input, contract.output
    if not 0 < source.multiple_of <= source.size <= 4096:
        raise ModelError(f"{origin}: its contract asks for an impossible input size")
    if not (answer.low < answer.high and source.low < source.high):
        raise ModelError(f"{origin}: its contract has an empty range")
    if contract.max_batch is not None and contract.max_batch < 1:
        raise ModelError(f"{origin}: its contract asks for batches of {contract.max_batch}")
    for part in (source, answer):
        for scale in (part.mean, part.std):
            if isinstance(scale, tuple) and len(scale) != CHANNELS[part.space]:
                raise ModelError(
                    f"{origin}: its contract has {len(scale)} numbers for the "
                    f"{CHANNELS[part.space]} channels of {part.space}"
                )
        if 0 in (part.std if isinstance(part.std, tuple) else (part.std,)):
            raise ModelError(f"{origin}: its contract asks for an impossible scale")
