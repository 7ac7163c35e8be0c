"""Store the weights of a model file in fp32, or in fp16 or int8 with a conversion to fp32.

onnxruntime folds constants when it loads a model, so a narrow weight and its conversion become
an fp32 weight: the file is smaller, and inference takes the same time.  (Arithmetic in int8, by
onnxruntime's static quantization, saved only a seventh of the time on a CPU and moved chroma by
6 code values in the mean.)
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import FloatArray

_HALF, _SMALL, _SCALE, _WIDE = "/half", "/small", "/scale", "/wide"
_LARGE = 1 << 15


@dataclass(frozen=True, slots=True)
class _WeightFormat:
    """Describe a storage of weights and its permitted difference from PyTorch's output.

    store: changes an ONNX model in place.  mean, worst: the mean and the largest difference on
    the trial pictures; the output's range is 1, so that 1 / 255 is an 8-bit code.
    """

    store: Callable[[Any], None]
    mean: float
    worst: float


def _store_in_16_bits(model: Any) -> None:
    """Store filters as float16; norms and biases are few and stay float32."""
    for weight in _list_filters(model):
        _halve(model.graph, weight)


def _store_in_8_bits(model: Any) -> None:
    """Store large filters as int8 with a scale for each output channel, others as float16.

    Large filters have nearly all weights, and small ones would cause nearly all of the error:
    a depthwise filter has 9 or 25 weights, too few for errors to average out.
    """
    for weight in _list_filters(model):
        large = int(np.prod(weight.dims)) >= _LARGE
        (_shrink if large else _halve)(model.graph, weight)


STORAGES: dict[str, _WeightFormat] = {
    "fp32": _WeightFormat(lambda model: None, mean=1e-3, worst=1e-3),
    "fp16": _WeightFormat(_store_in_16_bits, mean=0.5 / 255, worst=4 / 255),
    "int8": _WeightFormat(_store_in_8_bits, mean=2 / 255, worst=12 / 255),
}
"""Storages by the value of `export --weights`."""


def read_weights(model: Any) -> dict[str, FloatArray]:
    """Read the float weights of an ONNX model by name, converted to float32."""
    from onnx import numpy_helper

    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    weights = {name: array for name, array in stored.items() if array.dtype == np.float32}
    for name, array in stored.items():
        if name.endswith(_HALF):
            weights[name.removesuffix(_HALF)] = array.astype(np.float32)
        elif name.endswith(_SMALL):
            plain = name.removesuffix(_SMALL)
            weights[plain] = array.astype(np.float32) * stored[plain + _SCALE]
    return weights


def _list_filters(model: Any) -> list[Any]:
    from onnx import TensorProto

    stored = model.graph.initializer
    return [
        tensor
        for tensor in stored
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) > 1
    ]


def _halve(graph: Any, weight: Any) -> None:
    from onnx import TensorProto, helper, numpy_helper

    name, values = weight.name, numpy_helper.to_array(weight)
    _replace(graph, weight, {name + _HALF: values.astype(np.float16)})
    graph.node.insert(0, helper.make_node("Cast", [name + _HALF], [name], to=TensorProto.FLOAT))


def _shrink(graph: Any, weight: Any) -> None:
    from onnx import TensorProto, helper, numpy_helper

    name, values = weight.name, numpy_helper.to_array(weight)
    peak = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True)
    scale = np.where(peak > 0, peak / 127, 1).astype(np.float32)
    small = np.round(values / scale).clip(-127, 127).astype(np.int8)
    _replace(graph, weight, {name + _SMALL: small, name + _SCALE: scale})
    graph.node.insert(0, helper.make_node("Mul", [name + _WIDE, name + _SCALE], [name]))
    widen = helper.make_node("Cast", [name + _SMALL], [name + _WIDE], to=TensorProto.FLOAT)
    graph.node.insert(0, widen)


def _replace(graph: Any, weight: Any, parts: dict[str, npt.NDArray[Any]]) -> None:
    from onnx import numpy_helper

    graph.initializer.remove(weight)
    graph.initializer.extend(numpy_helper.from_array(part, name) for name, part in parts.items())
