import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="export needs the train extra")

from archive_colorizer.training.export.weight_storage import STORAGES, read_weights  # noqa: E402

SHAPES = {"large": (64, 64, 3, 3), "depthwise": (64, 1, 3, 3), "bias": (64,)}


@pytest.fixture
def model():
    """A dense filter of 36,864 weights, a depthwise one, and biases."""
    rng = np.random.default_rng(1)
    stored = [
        onnx.numpy_helper.from_array(rng.normal(0, 0.1, shape).astype(np.float32), name)
        for name, shape in SHAPES.items()
    ]
    make = onnx.helper
    nodes = [
        make.make_node("Conv", ["x", "large", "bias"], ["y"], pads=[1, 1, 1, 1]),
        make.make_node("Conv", ["y", "depthwise"], ["z"], pads=[1, 1, 1, 1], group=64),
    ]
    given, made = (make.make_tensor_value_info(name, 1, ["n", 64, "h", "w"]) for name in ("x", "z"))
    graph = make.make_graph(nodes, "two", [given], [made], stored)
    return make.make_model(graph, opset_imports=[make.make_opsetid("", 18)], ir_version=9)


def test_weights_come_back_by_name_to_within_what_is_stored(model):
    true = read_weights(model)
    assert {name: array.shape for name, array in true.items()} == SHAPES
    for name, relative in (("fp32", 0), ("fp16", 2**-11), ("int8", 0.5 / 127)):
        changed = onnx.ModelProto.FromString(model.SerializeToString())
        STORAGES[name].store(changed)
        onnx.checker.check_model(changed)
        back = read_weights(changed)
        for weight, array in true.items():
            reach = np.abs(array).max()
            assert np.abs(back[weight] - array).max() <= relative * reach * 1.001
        np.testing.assert_array_equal(back["bias"], true["bias"])


def test_narrow_is_small_and_small_filters_keep_16_bits(model):
    sizes = {}
    for name in STORAGES:
        changed = onnx.ModelProto.FromString(model.SerializeToString())
        STORAGES[name].store(changed)
        sizes[name] = changed.ByteSize()
        kinds = {one.name.split("/")[0]: one.data_type for one in changed.graph.initializer}
    assert sizes["fp16"] < 0.52 * sizes["fp32"]
    assert sizes["int8"] < 0.3 * sizes["fp32"]
    assert kinds["depthwise"] == onnx.TensorProto.FLOAT16


def test_a_filter_of_zeros_survives(model):
    zeros = onnx.numpy_helper.from_array(np.zeros(SHAPES["large"], np.float32), "large")
    model.graph.initializer[0].CopyFrom(zeros)
    STORAGES["int8"].store(model)
    np.testing.assert_array_equal(read_weights(model)["large"], 0)


@pytest.mark.parametrize("name", ["fp16", "int8"])
def test_after_load_nothing_of_the_storage_is_left_to_compute(model, name, tmp_path):
    """Why narrow weights cost no time: the session has widened them once and for all."""
    ort = pytest.importorskip("onnxruntime")
    STORAGES[name].store(model)
    assert {"Cast"} <= {node.op_type for node in model.graph.node}
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(tmp_path / "loaded.onnx")
    ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    loaded = onnx.load(options.optimized_model_filepath)
    assert [node.op_type for node in loaded.graph.node] == ["Conv", "Conv"]
