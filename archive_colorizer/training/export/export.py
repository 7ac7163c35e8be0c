"""From a checkpoint to a model file: scaling inside, any size, contract stamped, proven."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from archive_colorizer.errors import ModelError, UsageError
from archive_colorizer.model.colorizer import open_colorizer
from archive_colorizer.model.contract import InputContract, ModelContract, OutputContract
from archive_colorizer.model.onnx_metadata import drafted, stamped
from archive_colorizer.training.checkpoint import load_checkpoint, restore_network
from archive_colorizer.training.config import TrainingRecipe
from archive_colorizer.training.data.crops import to_planes
from archive_colorizer.training.export.average import Other, average_with
from archive_colorizer.training.export.weight_storage import STORAGES
from archive_colorizer.training.networks.network import NETWORKS, space_of

LARGEST = 25
"""MiB that a model file may have unless told otherwise: it travels with the program."""
_OPSET = 18
_STEP = 32


@dataclass(frozen=True, slots=True)
class Parity:
    """How far onnxruntime's output is from PyTorch's on the trial pictures.

    mean: the largest mean over a picture.  worst: the largest difference of all.  Both in
    units of the output, whose range is 1.
    """

    mean: float = 0.0
    worst: float = 0.0


def export_checkpoint(
    checkpoint: Path,
    output: Path,
    settings: Mapping[str, Any] | None = None,
    *,
    weights: str = "fp32",
    largest: int = LARGEST,
    average: Other | None = None,
) -> Parity:
    """Write the network of `checkpoint` as an ONNX file; return what it lost.

    With `average`, its weights are first averaged with another's; see `average_with`.
    `settings` replace those of the checkpoint's recipe (working_size, data_sheet, name).
    `weights` is how they are stored, see `STORAGES`; a session computes in fp32 all the
    same.  Nothing is written, and ModelError raised, when the output differs from PyTorch's
    by more than that storage allows on any size or photograph, or when the file would be
    larger than `largest` MiB.  Raises OutputError when `output` cannot be written.
    """
    if weights not in STORAGES:
        raise UsageError(f"weights {weights!r} are unknown; known are {', '.join(STORAGES)}")
    content = load_checkpoint(checkpoint)
    if average:
        content = average_with(content, average, str(checkpoint))
    network = restore_network(content, str(checkpoint))
    origin = f"checkpoint {checkpoint}"
    recipe = TrainingRecipe().changed(content.get("recipe", {}), origin)
    own = {"network": content["network"], "network_kwargs": content["kwargs"]}
    recipe = recipe.changed({**own, **(settings or {})}, "options")
    contract = _contract({**content, "storage": weights}, recipe, output.stem)
    model = _to_onnx(network, contract.output.name)
    STORAGES[weights].store(model)
    data = stamped(_bare(model), contract)
    if len(data) > largest * 2**20:
        raise ModelError(
            f"{output}: would have {len(data) / 2**20:.1f} MiB, the limit is {largest}; "
            "give --weights fp16, or --largest"
        )
    with drafted(data, output) as draft:
        parity = _compare(network, draft)
        _check(parity, weights, output)
    return parity


def _check(parity: Parity, weights: str, output: Path) -> None:
    allowed = STORAGES[weights]
    if parity.mean <= allowed.mean and parity.worst <= allowed.worst:
        return
    reason = (
        "the network uses something that does not survive the export"
        if weights == "fp32"
        else "its weights need more precision; give --weights fp32"
    )
    raise ModelError(
        f"{output}: onnxruntime differs from PyTorch by {parity.worst:.2g} at most and "
        f"{parity.mean:.2g} in the mean, allowed are {allowed.worst:.2g} and {allowed.mean:.2g}; "
        f"{reason}"
    )


def _contract(content: Mapping[str, Any], recipe: TrainingRecipe, name: str) -> ModelContract:
    return ModelContract(
        name=name,
        family=content["network"],
        licence=recipe.licence,
        input=InputContract(
            name="luma",
            space="luma",
            size=recipe.working_size,
            resize="short-side",
            multiple_of=_STEP,
        ),
        output=_output(content["network"]),
        training=_training_facts(content, recipe),
    )


def _output(network: str) -> OutputContract:
    space, meant = NETWORKS[network].space, space_of(network)
    return OutputContract(name=space, space=space, low=meant.low, high=meant.high)


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
        "weights": content["storage"],
        **{name: facts[name] for name in ("averaged_with",) if name in facts},
        "recipe": recipe.as_dict(),
    }


def _to_onnx(network: nn.Module, output: str) -> Any:
    """The network as an ONNX model with dynamic batch, height and width.

    Names and values of the weights are the network's own, so that a file can be trained on.
    PyTorch's optimizer would fold the norms into the filters; onnxruntime does so at load.
    """
    from onnxscript import optimizer

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
            optimize=False,
            verbose=False,
            opset_version=_OPSET,
            input_names=["luma"],
            output_names=[output],
            dynamic_shapes=shapes,
        )
    if program is None:
        raise ModelError("PyTorch's exporter gave nothing; install another version of torch")
    model = program.model_proto
    optimizer.fold_constants(model)
    optimizer.remove_unused_nodes(model)
    return model


def _bare(model: Any) -> bytes:
    """The model's bytes without the paths of this machine."""
    for part in (*model.graph.node, *model.graph.input, *model.graph.output, model.graph):
        del part.metadata_props[:]
        part.doc_string = ""
    for value in model.graph.value_info:
        del value.metadata_props[:]
    del model.metadata_props[:]
    model.producer_name = "archive-colorizer"
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _compare(network: nn.Module, path: Path) -> Parity:
    """The difference between PyTorch and onnxruntime over sizes and photographs."""
    colorizer = open_colorizer(path, device="cpu", threads=1)
    means, worsts = [], []
    for batch in _trials():
        with torch.no_grad():
            wanted = network(torch.from_numpy(batch)).numpy()
        made = colorizer.infer(batch)
        if made.shape != wanted.shape:
            return Parity(float("inf"), float("inf"))
        difference = np.abs(made - wanted)
        means.append(float(difference.mean()))
        worsts.append(float(difference.max()))
    return Parity(max(means), max(worsts))


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
