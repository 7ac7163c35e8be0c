"""Halving: a model that computes in 16 bits, for cards that are fast at that.

onnxruntime's converter does the work.  What it costs is measured before the file is written.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from archive_colorizer.adoption.onnx_graph import parse, round_to_16_bits
from archive_colorizer.adoption.probe import trial_pictures
from archive_colorizer.errors import ModelError, ModelOutputError, UsageError
from archive_colorizer.model.color_spaces import pack
from archive_colorizer.model.colorizer import Colorizer, open_colorizer, read_model, try_model
from archive_colorizer.model.onnx_metadata import drafted, stamped

MOST_IN_THE_MEAN: Final = 0.5 / 255
MOST: Final = 4 / 255
"""Shares of an output's range by which its answers may change: half a code value of 8 bits in the
mean of a picture, 4 at most."""


@dataclass(frozen=True, slots=True)
class Change:
    """How far the answers in 16 bits are from those in 32, as shares of the output's range.

    mean: the largest mean over a picture.  worst: the largest of all.
    """

    mean: float
    worst: float


def halve(path: Path, output: Path) -> Change:
    """Write a copy of a model that computes in 16 bits; what that changes.

    Input and output stay float32.  Measured on a CPU with all that passes between the nodes of
    the network rounded to 16 bits; inside of them, it computes in 32.  Nothing is written, and
    ModelError raised, when answers change by more than MOST or MOST_IN_THE_MEAN, or stop being
    numbers.  Raises UsageError for a model in 16 bits, DependencyError without onnx, and
    OutputError.
    """
    data, origin = read_model(path), f"model {path}"
    whole = open_colorizer(path, device="cpu")
    if output.exists() and output.samefile(path):
        raise UsageError(f"the output {output} is the model itself; choose another --output")
    if not whole.precise:
        raise UsageError(f"{origin}: computes in 16 bits already; run it as it is")
    facts = {
        **whole.contract.training,
        "arithmetic": "float16",
        "halved_from": hashlib.sha256(data).hexdigest(),
    }
    contract = replace(whole.contract, name=output.stem, training=facts)
    rounded = parse(data, origin)
    round_to_16_bits(rounded)
    change = _compared(whole, try_model(rounded.SerializeToString(), contract, origin), origin)
    with drafted(stamped(_converted(parse(data, origin)), contract), output) as draft:
        _compared(whole, open_colorizer(draft, device="cpu"), origin)
    return change


def _converted(model: Any) -> bytes:
    from onnxruntime.transformers.float16 import convert_float_to_float16

    made = convert_float_to_float16(model, keep_io_types=True)
    # The contract and the seal of the model that it was.
    del made.metadata_props[:]
    data: bytes = made.SerializeToString()
    return data


def _compared(whole: Colorizer, half: Colorizer, origin: str) -> Change:
    try:
        changes = list(_changes(whole, half))
    except ModelOutputError:
        raise ModelError(
            f"{origin}: its values go beyond what 16 bits hold; run it as it is"
        ) from None
    change = Change(max(mean for mean, _ in changes), max(worst for _, worst in changes))
    if change.mean > MOST_IN_THE_MEAN or change.worst > MOST:
        raise ModelError(
            f"{origin}: in 16 bits its answers change by {change.worst:.2g} of their range at most "
            f"and {change.mean:.2g} in the mean, allowed are {MOST:.2g} and "
            f"{MOST_IN_THE_MEAN:.2g}; run it as it is"
        )
    return change


def _changes(whole: Colorizer, half: Colorizer) -> Iterator[tuple[float, float]]:
    """Mean and largest, for each trial picture."""
    given, made = whole.contract.input, whole.contract.output
    for luma in trial_pictures(given):
        batch = pack(luma, given)
        apart = np.abs(half.infer(batch) - whole.infer(batch)) * np.abs(_spread(made.std))
        share = apart / (made.high - made.low)
        yield float(share.mean()), float(share.max())


def _spread(std: float | tuple[float, ...]) -> Any:
    """The scale of the answers, laid over N x c x h x w."""
    return np.reshape(np.asarray(std, dtype=np.float32), (1, -1, 1, 1))
