"""How a model file stores its weights: as they are, or narrow and widened as a session opens.

onnxruntime computes once, at load, what depends on constants alone.  A narrow weight followed by
its widening is therefore an fp32 weight by the time the first picture comes: the file is smaller,
and a picture takes as long as ever.  (Arithmetic in int8, by onnxruntime's static quantization,
saved only a seventh of the time on a CPU and moved chroma by 6 code values in the mean.)
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

_HALF, _SMALL, _SCALE, _WIDE = "/half", "/small", "/scale", "/wide"
_LARGE = 1 << 15


@dataclass(frozen=True, slots=True)
class Storage:
    """A way to store weights, and how far its output may be from PyTorch's.

    store: changes an ONNX model in place.  mean, worst: the mean and the largest difference on
    the trial pictures; the output's range is 1, so that 1 / 255 is a code value of 8 bits.
    """

    store: Callable[[Any], None]
    mean: float
    worst: float


def _store_as_they_are(model: Any) -> None:
    """Nothing to do."""


def _store_in_16_bits(model: Any) -> None:
    """Filters as float16; norms and biases are few and stay float32."""
    for weight in _filters(model):
        _halve(model.graph, weight)


def _store_in_8_bits(model: Any) -> None:
    """Large filters as int8 with a scale an output channel, small ones as float16.

    Nearly all weights are in the large ones, and nearly all of the loss would be in the small
    ones: a depthwise filter has 9 or 25 weights, over which no error averages out.
    """
    for weight in _filters(model):
        large = int(np.prod(weight.dims)) >= _LARGE
        (_shrink if large else _halve)(model.graph, weight)


STORAGES: dict[str, Storage] = {
    "fp32": Storage(_store_as_they_are, mean=1e-3, worst=1e-3),
    "fp16": Storage(_store_in_16_bits, mean=0.5 / 255, worst=4 / 255),
    "int8": Storage(_store_in_8_bits, mean=2 / 255, worst=12 / 255),
}
"""By the name that `export --weights` takes."""


def read_weights(model: Any) -> dict[str, npt.NDArray[np.float32]]:
    """The float weights of an ONNX model by name, widened where they are stored narrow."""
    from onnx import numpy_helper

    stored = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    weights = {name: array for name, array in stored.items() if array.dtype == np.float32}
    for name, array in stored.items():
        if name.endswith(_HALF):
            weights[name.removesuffix(_HALF)] = array.astype(np.float32)
        elif name.endswith(_SMALL):
            plain = name.removesuffix(_SMALL)
            weights[plain] = array.astype(np.float32) * stored[plain + _SCALE]
    return weights


def _filters(model: Any) -> list[Any]:
    from onnx import TensorProto

    stored = model.graph.initializer
    return [one for one in stored if one.data_type == TensorProto.FLOAT and len(one.dims) > 1]


def _halve(graph: Any, weight: Any) -> None:
    from onnx import TensorProto, helper, numpy_helper

    name, values = weight.name, numpy_helper.to_array(weight)
    _replace(graph, weight, {name + _HALF: values.astype(np.float16)})
    graph.node.insert(0, helper.make_node("Cast", [name + _HALF], [name], to=TensorProto.FLOAT))


def _shrink(graph: Any, weight: Any) -> None:
    from onnx import TensorProto, helper, numpy_helper

    name, values = weight.name, numpy_helper.to_array(weight)
    reach = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True)
    scale = np.where(reach > 0, reach / 127, 1).astype(np.float32)
    small = np.round(values / scale).clip(-127, 127).astype(np.int8)
    _replace(graph, weight, {name + _SMALL: small, name + _SCALE: scale})
    graph.node.insert(0, helper.make_node("Mul", [name + _WIDE, name + _SCALE], [name]))
    widen = helper.make_node("Cast", [name + _SMALL], [name + _WIDE], to=TensorProto.FLOAT)
    graph.node.insert(0, widen)


def _replace(graph: Any, weight: Any, parts: dict[str, npt.NDArray[Any]]) -> None:
    from onnx import numpy_helper

    graph.initializer.remove(weight)
    graph.initializer.extend(numpy_helper.from_array(part, name) for name, part in parts.items())
