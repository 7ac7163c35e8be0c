"""From a checkpoint to a model file: scaling inside, any size, contract stamped, proven."""

import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from archive_colorizer.errors import ModelError, OutputError
from archive_colorizer.model.colorizer import open_colorizer
from archive_colorizer.model.contract import (
    METADATA_KEY,
    InputContract,
    ModelContract,
    OutputContract,
)
from archive_colorizer.training.checkpoint import load_checkpoint, restore_network
from archive_colorizer.training.data import to_planes
from archive_colorizer.training.recipe import TrainingRecipe

TOLERANCE = 1e-3
_OPSET = 18
_STEP = 32
_LARGEST_FILE = 25 * 2**20
_LICENCE = "Apache-2.0"


def export_checkpoint(
    checkpoint: Path, output: Path, settings: Mapping[str, Any] | None = None
) -> float:
    """Write the network of `checkpoint` as an ONNX file; return the worst difference found.

    `settings` replace those of the checkpoint's recipe (working_size, data_sheet, name).
    Nothing is written, and ModelError raised, when onnxruntime's output differs from
    PyTorch's by more than `TOLERANCE` on any size or photograph, or when the file would
    be larger than 25 MB.  Raises OutputError when `output` cannot be written.
    """
    content = load_checkpoint(checkpoint)
    network = restore_network(content, str(checkpoint))
    origin = f"checkpoint {checkpoint}"
    recipe = TrainingRecipe().changed(content.get("recipe", {}), origin)
    contract = _contract(content, recipe.changed(settings or {}, "options"), output.stem)
    data = _stamped(_to_onnx(network), contract)
    if len(data) > _LARGEST_FILE:
        raise ModelError(f"{output}: would have {len(data) / 2**20:.1f} MB, the limit is 25")
    draft = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        _write(data, draft)
        worst = _compare(network, draft)
        if not worst <= TOLERANCE:
            raise ModelError(
                f"{output}: onnxruntime differs from PyTorch by {worst:.2g}, more than "
                f"{TOLERANCE:g}; the network uses something that does not survive the export"
            )
        draft.replace(output)
    except OSError as error:
        raise OutputError(f"{output}: cannot be written ({error.strerror})") from None
    finally:
        with suppress(OSError):
            draft.unlink()
    return worst


def _contract(content: Mapping[str, Any], recipe: TrainingRecipe, name: str) -> ModelContract:
    return ModelContract(
        name=name,
        family=content["network"],
        licence=_LICENCE,
        input=InputContract(
            name="luma",
            space="luma",
            size=recipe.working_size,
            resize="short-side",
            multiple_of=_STEP,
        ),
        output=OutputContract(name="cbcr", space="cbcr", low=-0.5, high=0.5),
        training=_training_facts(content, recipe),
    )


def _training_facts(content: Mapping[str, Any], recipe: TrainingRecipe) -> dict[str, Any]:
    facts = content.get("facts", {})
    history = content.get("history") or [{}]
    return {
        "data_sheet": recipe.data_sheet,
        "sources": facts.get("sources", {}),
        "photos": facts.get("photos", 0),
        "commit": facts.get("commit", "unknown"),
        "seed": recipe.seed,
        "crops": content.get("crops", 0),
        "minutes": round(content.get("seconds", 0.0) / 60.0, 1),
        "torch": torch.__version__,
        "metrics": {**facts.get("validation", {}), "model": history[-1]},
        "recipe": recipe.as_dict(),
    }


def _to_onnx(network: nn.Module) -> Any:
    """The network as an ONNX model with dynamic batch, height and width."""
    dim = torch.export.Dim
    height, width = (_STEP * dim(name, min=1, max=256) for name in ("rows", "columns"))
    shapes = ({0: dim("batch", min=1, max=4096), 2: height, 3: width},)
    # The exporter tells of other libraries' absence; that is no news for who exports.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            (torch.rand(2, 1, 2 * _STEP, 3 * _STEP),),
            dynamo=True,
            verbose=False,
            opset_version=_OPSET,
            input_names=["luma"],
            output_names=["cbcr"],
            dynamic_shapes=shapes,
        )
    if program is None:
        raise ModelError("PyTorch's exporter gave nothing; install another version of torch")
    return program.model_proto


def _stamped(model: Any, contract: ModelContract) -> bytes:
    """The model's bytes with the contract, and without the paths of this machine."""
    for part in (*model.graph.node, *model.graph.input, *model.graph.output, model.graph):
        del part.metadata_props[:]
        part.doc_string = ""
    for value in model.graph.value_info:
        del value.metadata_props[:]
    del model.metadata_props[:]
    model.producer_name = "archive-colorizer"
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, contract.to_json()
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _write(data: bytes, path: Path) -> None:
    with path.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _compare(network: nn.Module, path: Path) -> float:
    """The largest difference between PyTorch and onnxruntime over sizes and photographs."""
    colorizer = open_colorizer(path, device="cpu", threads=1)
    worst = 0.0
    for batch in _trials():
        with torch.no_grad():
            wanted = network(torch.from_numpy(batch)).numpy()
        made = colorizer.infer(batch)
        if made.shape != wanted.shape:
            return float("inf")
        worst = max(worst, float(np.abs(made - wanted).max()))
    return worst


def _trials() -> Iterator[npt.NDArray[np.float32]]:
    """Luma to compare on: noise and flat pictures of several sizes, and photographs."""
    from skimage import data

    rng = np.random.default_rng(0)
    for shape in ((1, 1, 32, 32), (3, 1, 256, 352), (2, 1, 96, 64)):
        yield rng.random(shape, dtype=np.float32)
    for grey in (0.0, 1.0):
        yield np.full((1, 1, 64, 64), grey, np.float32)
    for name in ("astronaut", "chelsea", "coffee"):
        photo = getattr(data, name)()
        luma, _ = to_planes(np.ascontiguousarray(photo[:256, :384]))
        yield luma[None, None]
