"""Export a checkpoint as an ONNX file of any input size, with its contract, and verify it."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from archive_colorizer.color.space import FloatArray
from archive_colorizer.errors import ModelError, UsageError
from archive_colorizer.model.colorizer import open_colorizer
from archive_colorizer.model.contract import InputContract, ModelContract, OutputContract
from archive_colorizer.model.onnx_metadata import add_contract, stage_file
from archive_colorizer.training.checkpoint import load_checkpoint, restore_network
from archive_colorizer.training.config import TrainingRecipe
from archive_colorizer.training.data.crops import to_planes
from archive_colorizer.training.export.doubt import split_doubt
from archive_colorizer.training.export.initial_weights import AveragingPartner
from archive_colorizer.training.export.weight_storage import STORAGES
from archive_colorizer.training.networks.network import NETWORKS, get_output_format
from archive_colorizer.training.progress import find_errors

MAX_MIB = 25
"""Default limit of a model file in MiB, because it is shipped with the program."""
_OPSET = 18
_STEP = 32
_DOUBT = "doubt"


@dataclass(frozen=True, slots=True)
class Parity:
    """Hold the difference between onnxruntime and PyTorch on the trial pictures.

    mean: the largest mean of a picture.  worst: the largest difference.  Both are in units of
    the output, whose range is 1.
    """

    mean: float = 0.0
    worst: float = 0.0


def export_checkpoint(
    checkpoint: Path,
    output: Path,
    settings: Mapping[str, Any] | None = None,
    *,
    weights: str = "fp32",
    max_mib: int = MAX_MIB,
    partner: AveragingPartner | None = None,
    anyway: bool = False,
) -> Parity:
    """Write the network of a checkpoint as an ONNX file and return the loss of precision.

    partner: see `AveragingPartner.average`.  settings: replace those of the checkpoint's recipe
    (working_size, data_sheet, name).  weights: a key of `STORAGES`; sessions compute in fp32 in
    any case.  Nothing is written, and ModelError is raised, when the last validation was worse
    than grey and not `anyway`, when the output differs from PyTorch's by more than the storage
    permits on any trial picture, or when the file would exceed `max_mib`.  Raises OutputError
    when `output` cannot be written.
    """
    if weights not in STORAGES:
        raise UsageError(f"weights {weights!r} are unknown; known are {', '.join(STORAGES)}")
    content = load_checkpoint(checkpoint)
    errors = find_errors(content)
    if errors and errors[0] > errors[1] and not (partner or anyway):
        raise ModelError(
            f"{checkpoint}: is worse than grey on its validation photographs (CIEDE2000 "
            f"{errors[0]:.2f}, grey {errors[1]:.2f}); train longer, or give --anyway"
        )
    if partner:
        content = partner.average(content, str(checkpoint))
    network = restore_network(content, str(checkpoint))
    origin = f"checkpoint {checkpoint}"
    recipe = TrainingRecipe().replace_settings(content.get("recipe", {}), origin)
    architecture = {"network": content["network"], "network_kwargs": content["kwargs"]}
    recipe = recipe.replace_settings({**architecture, **(settings or {})}, "options")
    contract = _build_contract({**content, "storage": weights}, recipe, output.stem)
    model = _to_onnx(network, contract.output.name)
    if contract.output.doubt:
        split_doubt(model, contract.output.doubt)
    STORAGES[weights].store(model)
    data = add_contract(_serialize(model), contract)
    if len(data) > max_mib * 2**20:
        raise ModelError(
            f"{output}: would have {len(data) / 2**20:.1f} MiB, the limit is {max_mib}; "
            "give --weights fp16, or --largest"
        )
    with stage_file(data, output) as draft:
        parity = _measure_parity(network, draft)
        _check_parity(parity, weights, output)
    return parity


def _check_parity(parity: Parity, weights: str, output: Path) -> None:
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


def _build_contract(content: Mapping[str, Any], recipe: TrainingRecipe, name: str) -> ModelContract:
    family = content["network"]
    space, output_format = NETWORKS[family].space, get_output_format(family)
    return ModelContract(
        name=name,
        family=family,
        licence=recipe.licence,
        input=InputContract(
            name="luma",
            space="luma",
            size=recipe.working_size,
            resize="short-side",
            multiple_of=_STEP,
        ),
        output=OutputContract(
            name=space,
            space=space,
            low=output_format.low,
            high=output_format.high,
            doubt=_DOUBT if recipe.network_kwargs.get("confidence") else "",
        ),
        training=_collect_training_facts(content, recipe),
    )


def _collect_training_facts(content: Mapping[str, Any], recipe: TrainingRecipe) -> dict[str, Any]:
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
        "recipe": asdict(recipe),
    }


def _to_onnx(network: nn.Module, output: str) -> Any:
    """Convert the network to an ONNX model with dynamic batch, height and width.

    Names and values of the weights stay, so that training can continue from the file.  PyTorch's
    optimizer would fold the norms into the filters; onnxruntime does so when it loads.
    """
    from onnxscript import optimizer

    dim = torch.export.Dim
    height, width = (_STEP * dim(name, min=1, max=256) for name in ("rows", "columns"))
    shapes = ({0: dim("batch", min=1, max=4096), 2: height, 3: width},)
    # The exporter warns about missing libraries that this export does not need.
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


def _serialize(model: Any) -> bytes:
    """Serialize the model without paths of this machine."""
    for part in (*model.graph.node, *model.graph.input, *model.graph.output, model.graph):
        del part.metadata_props[:]
        part.doc_string = ""
    for value in model.graph.value_info:
        del value.metadata_props[:]
    del model.metadata_props[:]
    model.producer_name = "archive-colorizer"
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _measure_parity(network: nn.Module, path: Path) -> Parity:
    """Measure the difference between PyTorch and onnxruntime on the trial pictures."""
    colorizer = open_colorizer(path, device="cpu", threads=1)
    means, worsts = [], []
    for batch in _iterate_trials():
        with torch.no_grad():
            expected = network(torch.from_numpy(batch)).numpy()
        actual = colorizer.infer(batch)
        expected = expected[:, : actual.shape[1]]  # without the logarithm of the doubt
        if actual.shape != expected.shape:
            return Parity(float("inf"), float("inf"))
        difference = np.abs(actual - expected)
        means.append(float(difference.mean()))
        worsts.append(float(difference.max()))
    return Parity(max(means), max(worsts))


def _iterate_trials() -> Iterator[FloatArray]:
    """Yield luma to compare on: noise and flat pictures of several sizes, and photographs."""
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
