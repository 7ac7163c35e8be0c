"""What an ONNX file says of itself, and what about it cannot be taken.  The door to onnx."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from archive_colorizer.errors import DependencyError, ModelError

Size: TypeAlias = int | str
"""Of an axis: a number, or the name of one that is free."""

_PLAIN: Final = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc")
"""Domains of operators that onnxruntime has built in."""
_TAKEN: Final = {1: "float32", 10: "float16"}
"""Element types of ONNX."""


@dataclass(frozen=True, slots=True)
class Interface:
    """The single input of a network and the names of its outputs.

    shape: N, C, H, W.  opset: the newest that it asks for.
    """

    input: str
    shape: tuple[Size, Size, Size, Size]
    kind: str
    outputs: tuple[str, ...]
    opset: int

    def __str__(self) -> str:
        sizes = " x ".join(map(str, self.shape))
        return f"{self.input!r}, {self.kind}, {sizes}"


def examine(data: bytes, origin: str) -> Interface:
    """The interface of the bytes of an ONNX file; `origin` names it in errors.

    Raises ModelError with what was expected and found for bytes that are no ONNX, weights in
    other files, operators that onnxruntime has not, several inputs, another rank or type, and
    free axes without a name.  Raises DependencyError without onnx.
    """
    model = parse(data, origin)
    _reject_external(model.graph, origin)
    _reject_foreign(model, origin)
    inner = {one.name for one in model.graph.initializer}
    inputs = [one for one in model.graph.input if one.name not in inner]
    if len(inputs) != 1:
        names = ", ".join(repr(one.name) for one in inputs) or "none"
        raise ModelError(
            f"{origin}: expected one input, the picture; found {names}; "
            "export it again with what else it takes fixed inside"
        )
    if not model.graph.output:
        raise ModelError(f"{origin}: expected an output; found none")
    kind = inputs[0].type.tensor_type.elem_type
    if kind not in _TAKEN:
        import onnx

        found = onnx.TensorProto.DataType.Name(kind).lower()
        raise ModelError(f"{origin}: expected an input of float32 or float16; found {found}")
    return Interface(
        inputs[0].name,
        _shape(inputs[0], origin),
        _TAKEN[kind],
        tuple(one.name for one in model.graph.output),
        max((one.version for one in model.opset_import if one.domain in _PLAIN[:2]), default=0),
    )


def newest_opset() -> int:
    """The newest opset that the installed onnx knows."""
    import onnx

    return int(onnx.defs.onnx_opset_version())


def parse(data: bytes, origin: str) -> Any:
    """The bytes of an ONNX file as onnx has them; raises ModelError, and DependencyError."""
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
    """Let what each node of a model gives go through 16 bits and back, in place.

    So a processor that computes in 32 bits shows what one of 16 would answer: onnxruntime's
    widens a model in 16 bits, and what would overflow does not.
    """
    import onnx

    known = onnx.shape_inference.infer_shapes(model).graph
    wide, half = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16
    kinds = {one.name: one.type.tensor_type.elem_type for one in (*known.value_info, *known.output)}
    nodes = list(model.graph.node)
    del model.graph.node[:]
    for node in nodes:
        copied = model.graph.node.add()
        copied.CopyFrom(node)
        for at, name in enumerate(node.output):
            if kinds.get(name) != wide:
                continue
            copied.output[at] = f"{name}/exact"
            for given, made, kind in (("exact", f"{name}/rounded", half), ("rounded", name, wide)):
                cast = onnx.helper.make_node("Cast", [f"{name}/{given}"], [made], to=kind)
                model.graph.node.append(cast)


def _shape(value: Any, origin: str) -> tuple[Size, Size, Size, Size]:
    axes = value.type.tensor_type.shape.dim
    if len(axes) != 4:
        raise ModelError(
            f"{origin}: expected an input of rank 4 (N, C, H, W); found rank {len(axes)}"
        )
    sizes = [one.dim_param or one.dim_value for one in axes]
    for axis, size in zip("NCHW", sizes, strict=True):
        if not size:
            raise ModelError(
                f"{origin}: expected a size or a name for each axis of {value.name!r}; found "
                f"neither for {axis}; export it with dynamic_axes that name it"
            )
    first, channels, height, width = sizes
    return first, channels, height, width


def _graphs(graph: Any) -> Iterator[Any]:
    """The graph and those inside its nodes."""
    yield graph
    for node in graph.node:
        for one in node.attribute:
            for inner in ((one.g,) if one.HasField("g") else ()) + tuple(one.graphs):
                yield from _graphs(inner)


def _reject_external(graph: Any, origin: str) -> None:
    for one in _graphs(graph):
        inside = [node.t for part in one.node for node in part.attribute if node.HasField("t")]
        for tensor in (*one.initializer, *inside):
            if tensor.data_location == tensor.EXTERNAL:
                places = {entry.key: entry.value for entry in tensor.external_data}
                raise ModelError(
                    f"{origin}: expected all weights in this file; found {tensor.name!r} in "
                    f"{places.get('location', 'another file')!r}; put them together with "
                    "onnx.save(onnx.load(FILE), NEW_FILE)"
                )


def _reject_foreign(model: Any, origin: str) -> None:
    own = {(one.domain, one.name) for one in model.functions}
    for graph in (*_graphs(model.graph), *model.functions):
        for node in graph.node:
            if node.domain not in _PLAIN and (node.domain, node.op_type) not in own:
                raise ModelError(
                    f"{origin}: expected operators of ONNX; found {node.op_type!r} of "
                    f"{node.domain!r}, which onnxruntime has only with a library of its own"
                )
