"""Tiny model files with a known answer, made for tests with onnx."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from archive_colorizer.model.contract import (
    METADATA_KEY,
    InputContract,
    ModelContract,
    OutputContract,
)

CONTRACT = ModelContract(
    name="constant",
    family="test",
    licence="Apache-2.0",
    input=InputContract(name="luma", space="luma", size=64, resize="short-side", multiple_of=32),
    output=OutputContract(name="cbcr", space="cbcr", low=-0.5, high=0.5),
)


def constant_model(
    path: Path,
    values: Sequence[float] = (-0.1, 0.15),
    contract: ModelContract | None = CONTRACT,
) -> Path:
    """A network that answers every picture with one color: `values`, one a channel.

    The answer does depend on the input in form (0 * luma + values), so the batch, height and
    width stay free.  With `contract=None` nothing is stamped.
    """
    onnx = pytest.importorskip("onnx", reason="making a model file needs onnx")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    given = (contract or CONTRACT).input
    made = (contract or CONTRACT).output
    channels = 1 if given.space in ("luma", "lab-l") else 3
    kernel = np.zeros((len(values), channels, 1, 1), dtype=np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", [given.name, "kernel", "values"], [made.name])],
        "constant",
        [helper.make_tensor_value_info(given.name, 1, ["n", channels, "h", "w"])],
        [helper.make_tensor_value_info(made.name, 1, ["n", len(values), "h", "w"])],
        [
            numpy_helper.from_array(kernel, "kernel"),
            numpy_helper.from_array(np.array(values, dtype=np.float32), "values"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if contract is not None:
        helper.set_model_props(model, {METADATA_KEY: contract.to_json()})
    path.write_bytes(model.SerializeToString())
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def speaking(contract: ModelContract, space_in: str, space_out: str) -> ModelContract:
    """The contract with other spaces, in the ranges that these spaces have by nature."""
    ranges = {"cbcr": (-0.5, 0.5), "lab-ab": (-128.0, 127.0), "rgb": (0.0, 1.0)}
    low, high = ranges[space_out]
    return replace(
        contract,
        input=replace(contract.input, space=space_in),
        output=replace(contract.output, space=space_out, low=low, high=high),
    )
