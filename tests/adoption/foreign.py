"""ONNX files with the interfaces of others' networks, whose answers are known."""

import numpy as np
import pytest

GREY = (0.0, 0.0, 0.0)


def foreign(path, answer, *, channels=3, shape=("n", "height", "width"), half=False, **how):
    """A network that adds `answer` to a picture (three numbers) or always gives it (two).

    shape: N, H, W, each a number, a name or None.  how: `low`, `high` limit the answer;
    `opset` and `domain` are what the file asks for; `names` are those of input and output.
    """
    onnx = pytest.importorskip("onnx", reason="making a model file needs onnx")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    kind, dtype = (10, np.float16) if half else (1, np.float32)
    given, made = how.get("names", ("input", "output"))
    batch, height, width = shape
    kernel = np.zeros((len(answer), channels, 1, 1), dtype=dtype)
    if len(answer) == channels:
        kernel[:, :, 0, 0] = np.eye(channels)
    limits = {name: np.array(how[name], dtype=dtype) for name in ("low", "high") if name in how}
    nodes = [helper.make_node("Conv", [given, "kernel", "answer"], ["raw"])]
    nodes.append(
        helper.make_node("Clip", ["raw", *limits], [made])
        if limits
        else helper.make_node("Identity", ["raw"], [made])
    )
    if "domain" in how:
        nodes.insert(0, helper.make_node("Sharpen", [given], ["unused"], domain=how["domain"]))
    values = {"kernel": kernel, "answer": np.array(answer, dtype=dtype), **limits}
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info(given, kind, [batch, channels, height, width])],
        [helper.make_tensor_value_info(made, kind, [batch, len(answer), height, width])],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    sets = [helper.make_opsetid("", how.get("opset", 17))]
    sets += [helper.make_opsetid(how["domain"], 1)] if "domain" in how else []
    model = helper.make_model(graph, opset_imports=sets, ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path
