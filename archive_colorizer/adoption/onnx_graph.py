"""Inspect the graph of an ONNX file, and reject what a run cannot use.

Only this module imports onnx.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from archive_colorizer.errors import DependencyError, ModelError

Size: TypeAlias = int | str
"""Size of an axis: a number, or the name of a free one."""

_ONNX_DOMAINS: Final = ("", "ai.onnx")
_BUILTIN_DOMAINS: Final = (*_ONNX_DOMAINS, "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc")
"""Domains of operators that onnxruntime has built in."""
_ELEMENT_TYPES: Final = {1: "float32", 10: "float16"}
"""Element types of ONNX."""


@dataclass(frozen=True, slots=True)
class Interface:
    """Describe the single input of a network and the names of its outputs.

    shape: N, C, H, W.  opset: the newest that it requires.
    """

    input: str
    shape: tuple[Size, ...]
    kind: str
    outputs: tuple[str, ...]
    opset: int

    def __str__(self) -> str:
        sizes = " x ".join(map(str, self.shape))
        return f"{self.input!r}, {self.kind}, {sizes}"

    @classmethod
    def inspect(cls, data: bytes, origin: str) -> "Interface":
        """Return the interface of the bytes of an ONNX file; `origin` names it in errors.

        Raises ModelError with what was expected and found for bytes that are no ONNX, weights in
        other files, operators unknown to onnxruntime, several inputs, another rank or type, and
        free axes without a name.  Raises DependencyError without onnx.
        """
        model = parse(data, origin)
        _reject_external(model.graph, origin)
        _reject_foreign(model, origin)
        weights = {tensor.name for tensor in model.graph.initializer}
        inputs = [tensor for tensor in model.graph.input if tensor.name not in weights]
        if len(inputs) != 1:
            names = ", ".join(repr(tensor.name) for tensor in inputs) or "none"
            raise ModelError(
                f"{origin}: expected one input, the picture; found {names}; "
                "export it again with what else it takes fixed inside"
            )
        if not model.graph.output:
            raise ModelError(f"{origin}: expected an output; found none")
        kind = inputs[0].type.tensor_type.elem_type
        if kind not in _ELEMENT_TYPES:
            import onnx

            type_name = onnx.TensorProto.DataType.Name(kind).lower()
            raise ModelError(
                f"{origin}: expected an input of float32 or float16; found {type_name}"
            )
        opsets = [opset.version for opset in model.opset_import if opset.domain in _ONNX_DOMAINS]
        return cls(
            inputs[0].name,
            _read_shape(inputs[0], origin),
            _ELEMENT_TYPES[kind],
            tuple(tensor.name for tensor in model.graph.output),
            max(opsets, default=0),
        )

    @staticmethod
    def get_newest_opset() -> int:
        """Return the newest opset that the installed onnx knows."""
        import onnx

        return int(onnx.defs.onnx_opset_version())


def parse(data: bytes, origin: str) -> Any:
    """Parse the bytes of an ONNX file; raises ModelError and DependencyError."""
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        raise DependencyError(
            "adopting a model needs onnx; run: pip install 'archive-colorizer[models]'"
        ) from None
    try:
        model = onnx.load_from_string(data)
    except (DecodeError, ValueError):
        model = None
    if model is None or not model.graph.node:
        begins = data[:12].decode("latin-1")
        raise ModelError(f"{origin}: expected an ONNX file; found one that begins with {begins!r}")
    return model


def round_to_16_bits(model: Any) -> None:
    """Cast the output of each node to 16 bits and back, in place.

    This shows on a CPU what a 16-bit device would answer: onnxruntime computes a 16-bit model in
    32 bits there, so that values that would overflow do not.
    """
    import onnx

    graph = onnx.shape_inference.infer_shapes(model).graph
    wide, half = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16
    tensors = (*graph.value_info, *graph.output)
    floats = {tensor.name for tensor in tensors if tensor.type.tensor_type.elem_type == wide}
    nodes = list(model.graph.node)
    del model.graph.node[:]
    for node in nodes:
        copied = model.graph.node.add()
        copied.CopyFrom(node)
        for at, name in enumerate(node.output):
            if name in floats:
                exact, rounded = f"{name}/exact", f"{name}/rounded"
                copied.output[at] = exact
                for source, target, kind in ((exact, rounded, half), (rounded, name, wide)):
                    cast = onnx.helper.make_node("Cast", [source], [target], to=kind)
                    model.graph.node.append(cast)


def _read_shape(value: Any, origin: str) -> tuple[Size, ...]:
    axes = value.type.tensor_type.shape.dim
    if len(axes) != 4:
        raise ModelError(
            f"{origin}: expected an input of rank 4 (N, C, H, W); found rank {len(axes)}"
        )
    sizes = tuple(axis.dim_param or axis.dim_value for axis in axes)
    for letter, size in zip("NCHW", sizes, strict=True):
        if not size:
            raise ModelError(
                f"{origin}: expected a size or a name for each axis of {value.name!r}; found "
                f"neither for {letter}; export it with dynamic_axes that name it"
            )
    return sizes


def _iterate_graphs(graph: Any) -> Iterator[Any]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            single = (attribute.g,) if attribute.HasField("g") else ()
            for subgraph in (*single, *attribute.graphs):
                yield from _iterate_graphs(subgraph)


def _reject_external(graph: Any, origin: str) -> None:
    for subgraph in _iterate_graphs(graph):
        inside = [node.t for part in subgraph.node for node in part.attribute if node.HasField("t")]
        for tensor in (*subgraph.initializer, *inside):
            if tensor.data_location == tensor.EXTERNAL:
                location = {entry.key: entry.value for entry in tensor.external_data}
                raise ModelError(
                    f"{origin}: expected all weights in this file; found {tensor.name!r} in "
                    f"{location.get('location', 'another file')!r}; put them together with "
                    "onnx.save(onnx.load(FILE), NEW_FILE)"
                )


def _reject_foreign(model: Any, origin: str) -> None:
    local_functions = {(function.domain, function.name) for function in model.functions}
    for graph in (*_iterate_graphs(model.graph), *model.functions):
        for node in graph.node:
            is_local = (node.domain, node.op_type) in local_functions
            if node.domain not in _BUILTIN_DOMAINS and not is_local:
                raise ModelError(
                    f"{origin}: expected operators of ONNX; found {node.op_type!r} of "
                    f"{node.domain!r}, which onnxruntime has only with a library of its own"
                )
