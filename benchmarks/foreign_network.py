"""ONNX files with DDColor's interface: one of its size with random weights, one that knows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper

_WIDTHS = (192, 384, 768, 1536)
_DEPTHS = (3, 3, 27, 3)
"""Of ConvNeXt-L, the encoder of DDColor's large network."""
_DECODER = (768, 512, 256)


class _Graph:
    """A chain of nodes that ends in `last`, with its weights."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.last = "input"
        self._random = np.random.default_rng(0)

    def node(self, kind: str, *others: str, to: str = "", **attributes: Any) -> str:
        name = to or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, [self.last, *others], [name], **attributes))
        self.last = name
        return name

    def weight(self, *shape: int, scale: float | None = None) -> str:
        """Normal weights that keep the spread of what they are multiplied with."""
        spread = scale if scale is not None else float(np.prod(shape[1:] or shape)) ** -0.5
        values = self._random.standard_normal(shape, dtype=np.float32) * np.float32(spread)
        return self.value(values)

    def value(self, values: npt.NDArray[Any]) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def norm(self, width: int) -> None:
        """Over channels, as ConvNeXt has it; the result is N x H x W x C."""
        self.node("Transpose", perm=[0, 2, 3, 1])
        ones = self.value(np.ones(width, np.float32))
        self.node("LayerNormalization", ones, self.value(np.zeros(width, np.float32)), axis=-1)

    def block(self, width: int) -> None:
        """Depthwise 7 x 7, to four times the width and back, and what was there before."""
        before = self.last
        self.node("Conv", self.weight(width, 1, 7, 7), pads=[3, 3, 3, 3], group=width)
        self.norm(width)
        self.node("MatMul", self.weight(width, 4 * width, scale=width**-0.5))
        self.node("Gelu")
        self.node("MatMul", self.weight(4 * width, width, scale=0.1 * (4 * width) ** -0.5))
        self.node("Transpose", perm=[0, 3, 1, 2])
        self.node("Add", before)

    def down(self, wide: int, width: int) -> None:
        self.norm(wide)
        self.node("Transpose", perm=[0, 3, 1, 2])
        self.node("Conv", self.weight(width, wide, 2, 2), strides=[2, 2])

    def up(self, wide: int, width: int, beside: str, beside_width: int) -> None:
        """Twice the size, with what the encoder had there."""
        self.node("Conv", self.weight(4 * width, wide, 1, 1))
        self.node("DepthToSpace", blocksize=2)
        self.node("Concat", beside, axis=1)
        self.node("Conv", self.weight(width, width + beside_width, 3, 3), pads=[1, 1, 1, 1])
        self.node("Relu")


def large_network(path: Path, size: int = 512, *, batch: int | str = 1, narrower: int = 1) -> int:
    """Write a network as costly as DDColor's large one; the number of its weights.

    A ConvNeXt-L and a decoder with its skips.  Its weights are random, its colors mild.
    batch: how many pictures it takes, or a name for any number.  narrower: divides all widths,
    for trials.
    """
    widths = [width // narrower for width in _WIDTHS]
    graph = _Graph()
    graph.node("Conv", graph.weight(widths[0], 3, 4, 4), strides=[4, 4])
    skips = []
    for stage, (width, depth) in enumerate(zip(widths, _DEPTHS, strict=True)):
        if stage:
            skips.append((graph.last, widths[stage - 1]))
            graph.down(widths[stage - 1], width)
        for _ in range(depth):
            graph.block(width)
    wide = widths[-1]
    decoder = [width // narrower for width in _DECODER]
    for width, (beside, beside_width) in zip(decoder, reversed(skips), strict=True):
        graph.up(wide, width, beside, beside_width)
        wide = width
    graph.node("Conv", graph.weight(16 * 64, wide, 1, 1))
    graph.node("DepthToSpace", blocksize=4)
    graph.node("Conv", graph.weight(2, 64, 1, 1, scale=0.02))
    graph.node("Tanh")
    graph.node("Mul", graph.value(np.float32([30.0])), to="output")
    _write(path, graph.nodes, graph.weights, size, batch)
    return sum(int(np.prod(one.dims)) for one in graph.weights)


def knowing_network(path: Path, ab: npt.NDArray[np.float32]) -> None:
    """Write a network that gives `ab` (2 x size x size, units of Lab) whatever it is shown."""
    kernel = np.zeros((2, 3, 1, 1), np.float32)
    nodes = [
        helper.make_node("Conv", ["input", "kernel"], ["nothing"]),
        helper.make_node("Add", ["nothing", "ab"], ["output"]),
    ]
    weights = [numpy_helper.from_array(kernel, "kernel"), numpy_helper.from_array(ab[None], "ab")]
    _write(path, nodes, weights, ab.shape[1])


def _write(
    path: Path, nodes: Sequence[Any], weights: Sequence[Any], size: int, batch: int | str = 1
) -> None:
    graph = helper.make_graph(
        nodes,
        "ddcolor",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, 3, size, size])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [batch, 2, size, size])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    path.write_bytes(model.SerializeToString())
