"""Convert a model to compute in 16 bits, for graphics cards, if its answers hardly change."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from archive_colorizer.adoption.onnx_graph import parse, round_to_16_bits
from archive_colorizer.adoption.probe import make_probe_pictures
from archive_colorizer.errors import ModelError, ModelOutputError, UsageError
from archive_colorizer.model.color_spaces import pack
from archive_colorizer.model.colorizer import Colorizer, open_colorizer, read_model, try_model
from archive_colorizer.model.onnx_metadata import add_contract, stage_file

MAX_MEAN_CHANGE: Final = 0.5 / 255
MAX_CHANGE: Final = 4 / 255
"""Allowed change of the answers as shares of the output's range: half a code value of 8 bits in
the mean of a picture, 4 at most."""


def halve(path: Path, output: Path) -> tuple[float, float]:
    """Write a copy of a model that computes in 16 bits; return the change of its answers.

    The change is the largest mean of a picture and the largest of all, as shares of the output's
    range.  Input and output stay float32.  The change is measured on a CPU, with all values
    between the nodes of the network rounded to 16 bits.  Raises ModelError, and writes nothing, if
    it exceeds MAX_CHANGE or MAX_MEAN_CHANGE or an answer is not finite; UsageError for a model in
    16 bits; DependencyError without onnx; OutputError.
    """
    data, origin = read_model(path), f"model {path}"
    whole = open_colorizer(path, device="cpu")
    if output.exists() and output.samefile(path):
        raise UsageError(f"the output {output} is the model itself; choose another --output")
    if not whole.precise:
        raise UsageError(f"{origin}: computes in 16 bits already; run it as it is")
    facts = {"arithmetic": "float16", "halved_from": hashlib.sha256(data).hexdigest()}
    training = {**whole.contract.training, **facts}
    contract = replace(whole.contract, name=output.stem, training=training)
    rounded = parse(data, origin)
    round_to_16_bits(rounded)
    change = _compare(whole, try_model(rounded.SerializeToString(), contract, origin), origin)
    with stage_file(add_contract(_convert(parse(data, origin)), contract), output) as draft:
        _compare(whole, open_colorizer(draft, device="cpu"), origin)
    return change


def _convert(model: Any) -> bytes:
    from onnxruntime.transformers.float16 import convert_float_to_float16

    half_model = convert_float_to_float16(model, keep_io_types=True)
    # Contract and seal belong to the original.
    del half_model.metadata_props[:]
    return bytes(half_model.SerializeToString())


def _compare(whole: Colorizer, half: Colorizer, origin: str) -> tuple[float, float]:
    try:
        changes = list(_measure_changes(whole, half))
    except ModelOutputError:
        raise ModelError(
            f"{origin}: its values go beyond what 16 bits hold; run it as it is"
        ) from None
    mean, worst = (max(numbers) for numbers in zip(*changes, strict=True))
    if mean > MAX_MEAN_CHANGE or worst > MAX_CHANGE:
        raise ModelError(
            f"{origin}: in 16 bits its answers change by {worst:.2g} of their range at most "
            f"and {mean:.2g} in the mean, allowed are {MAX_CHANGE:.2g} and "
            f"{MAX_MEAN_CHANGE:.2g}; run it as it is"
        )
    return mean, worst


def _measure_changes(whole: Colorizer, half: Colorizer) -> Iterator[tuple[float, float]]:
    """Yield mean and largest change for each trial picture."""
    model_input, output = whole.contract.input, whole.contract.output
    scale = np.abs(np.asarray(output.std, dtype=np.float32)).reshape(1, -1, 1, 1)
    scale /= output.high - output.low
    for luma in make_probe_pictures(model_input):
        batch = pack(luma, model_input)
        share = np.abs(half.infer(batch) - whole.infer(batch)) * scale
        yield float(share.mean()), float(share.max())
