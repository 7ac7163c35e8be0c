"""A model in 16 bits: what it says, and which are refused."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("onnx", reason="halving a model needs onnx")

from archive_colorizer.adoption.fp16 import MAX_CHANGE, halve
from archive_colorizer.errors import ModelError, UsageError
from archive_colorizer.model.colorizer import open_colorizer
from archive_colorizer.model.onnx_metadata import check_seal
from archive_colorizer.model.registry import find_model
from tests.model.networks import CONTRACT, constant_model, digest


def test_the_default_model_keeps_its_colors(tmp_path):
    source, target = find_model("default"), tmp_path / "default-fp16.onnx"
    mean, worst = halve(source, target)
    assert 0 < mean < worst < MAX_CHANGE / 4
    whole, half = open_colorizer(source, device="cpu"), open_colorizer(target, device="cpu")
    assert half.contract.input == whole.contract.input
    assert half.contract.name == "default-fp16"
    assert half.contract.training["halved_from"] == digest(source)
    assert check_seal(target.read_bytes(), "model")
    batch = np.random.default_rng(0).random((2, 1, 256, 352), dtype=np.float32)
    assert np.abs(half.infer(batch) - whole.infer(batch)).max() < MAX_CHANGE


def test_its_weights_are_in_16_bits(tmp_path):
    import onnx

    target = tmp_path / "half.onnx"
    halve(constant_model(tmp_path / "m.onnx"), target)
    kinds = {one.data_type for one in onnx.load(target).graph.initializer}
    assert kinds == {onnx.TensorProto.FLOAT16}


def refused(tmp_path, model, kind, said):
    target = tmp_path / "half.onnx"
    with pytest.raises(kind, match=said):
        halve(model, target)
    assert not target.exists()
    assert not list(tmp_path.glob(".*part"))


def test_a_model_that_needs_more_is_refused_with_how_much(tmp_path):
    """An answer of 3000 with a range of a tenth: 16 bits know multiples of 2 there."""
    made = replace(CONTRACT.output, low=2999.0, high=2999.1)
    model = constant_model(tmp_path / "m.onnx", (2999.05, 2999.05), replace(CONTRACT, output=made))
    refused(tmp_path, model, ModelError, r"change by .* of their range at most")


def test_values_beyond_16_bits_are_refused(tmp_path):
    onnx = pytest.importorskip("onnx")
    path = constant_model(tmp_path / "m.onnx")
    model = onnx.load(path)
    # Times a thousand, twice, and back: 10^5 is infinity in 16 bits.
    name, node = model.graph.output[0].name, model.graph.node[0]
    node.output[0] = "small"
    for at, (given, made, factor) in enumerate(
        [("small", "larger", 1e3), ("larger", "huge", 1e3), ("huge", name, 1e-6)]
    ):
        scale = onnx.numpy_helper.from_array(np.float32([factor]).reshape(1, 1, 1, 1), f"s{at}")
        model.graph.initializer.append(scale)
        model.graph.node.append(onnx.helper.make_node("Mul", [given, f"s{at}"], [made]))
    onnx.save(model, path)
    refused(tmp_path, path, ModelError, "beyond what 16 bits hold")


def test_a_model_in_16_bits_is_left_alone(tmp_path):
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    path = constant_model(tmp_path / "m.onnx")
    half = convert_float_to_float16(onnx.load(path), keep_io_types=False)
    onnx.save(half, tmp_path / "already.onnx")
    refused(tmp_path, tmp_path / "already.onnx", UsageError, "already")


def test_the_model_itself_is_never_written_over(tmp_path):
    path = constant_model(tmp_path / "m.onnx")
    before = path.read_bytes()
    with pytest.raises(UsageError, match="the model itself"):
        halve(path, path)
    assert path.read_bytes() == before
