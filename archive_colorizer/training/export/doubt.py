"""Give the doubt of a network an output of its own in its ONNX model."""

from typing import Any

import numpy as np


def split_doubt(model: Any, name: str) -> None:
    """Split the only output, color and the logarithm of doubt, N x (C + 1) x H x W, in place.

    The color keeps the output's name, N x C x H x W; output `name`, N x 1 x H x W, is the doubt.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    (color,) = graph.output
    whole, logarithm = f"{color.name}+{name}", f"log-{name}"
    for node in graph.node:
        node.output[:] = [whole if output == color.name else output for output in node.output]
    doubt = graph.output.add()
    doubt.CopyFrom(color)
    doubt.name = name
    channels = color.type.tensor_type.shape.dim[1]
    channels.dim_value -= 1
    doubt.type.tensor_type.shape.dim[1].dim_value = 1
    ends = {"zero": 0, "colors": channels.dim_value, "all": channels.dim_value + 1, "axis": 1}
    graph.initializer.extend(
        numpy_helper.from_array(np.array([value], np.int64), f"{name}/{end}")
        for end, value in ends.items()
    )
    edges = {color.name: ("zero", "colors"), logarithm: ("colors", "all")}
    for output, (start, end) in edges.items():
        inputs = [whole, *(f"{name}/{part}" for part in (start, end, "axis"))]
        graph.node.append(helper.make_node("Slice", inputs, [output]))
    graph.node.append(helper.make_node("Exp", [logarithm], [name]))
