"""Load the weights of a checkpoint or a model file to start a training from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from archive_colorizer.color.space import FloatArray
from archive_colorizer.errors import DependencyError, ModelError, UsageError
from archive_colorizer.model.contract import METADATA_KEY, ModelContract
from archive_colorizer.model.registry import list_models
from archive_colorizer.training.checkpoint import load_checkpoint, restore_network
from archive_colorizer.training.export.weight_storage import read_weights
from archive_colorizer.training.networks.network import build_network

Weights = Mapping[str, FloatArray]

_INSTEAD = "give a model file that archive-colorize export wrote, or the checkpoint.pt of a run"
_COUNTER = "num_batches_tracked"
_FOLDED_BIAS = "_bias"


def load_initial_weights(path: Path) -> dict[str, Any]:
    """Load network, kwargs and state of a checkpoint, a run's folder, or a model file.

    `path` may be the name of a shipped model.  "folded" is true for a file with norms folded into
    its filters, as exported up to 0.1: it needs `settle_norms` before training.

    Raises ModelError when the file is missing, damaged or foreign, or when its weights do not
    fit its network; DependencyError without onnx.
    """
    if not path.exists():
        path = list_models().get(str(path), path)
    if path.suffix != ".onnx":
        return {**load_checkpoint(path), "folded": False}
    model = _read_model(path)
    contract = _read_contract(model, path)
    settings = contract.training.get("recipe")
    if not isinstance(settings, dict):
        raise ModelError(f"{path}: its contract does not say how it was trained; {_INSTEAD}")
    kwargs = settings.get("network_kwargs", {})
    network = _rebuild_network(contract.family, kwargs, path)
    weights = read_weights(model)
    names = {name for name in network.state_dict() if not name.endswith(_COUNTER)}
    is_folded = not names <= weights.keys()
    state = _unfold(network, weights) if is_folded else dict(weights)
    content = {"network": contract.family, "kwargs": kwargs, "folded": is_folded}
    content["state"] = _build_state(network, state)
    restore_network(content, f"{path}")
    return content


@dataclass(frozen=True, slots=True)
class AveragingPartner:
    """Name a checkpoint, a run's folder, a model file or a shipped model to average with.

    share: weight in the mean, between 0 and 1 (exclusive).
    """

    model: Path
    share: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 < self.share < 1.0:
            raise UsageError(f"share must be between 0 and 1, not {self.share:g}")

    def average(self, content: dict[str, Any], origin: str) -> dict[str, Any]:
        """Average a checkpoint with this one's weights, and record that in its facts.

        Runs that began with the same weights can be averaged: the mean is often better than either,
        and a fine-tuned model keeps more of the abilities of its start (Wortsman et al., Model
        soups, arXiv:2203.05482, and Robust fine-tuning, arXiv:2109.01903).  The validation history
        is dropped, because it does not apply to the mean.  Raises ModelError when the networks
        differ, and as `load_initial_weights` does.
        """
        second = load_initial_weights(self.model)
        for part in ("network", "kwargs"):
            if second[part] != content[part]:
                raise ModelError(
                    f"{self.model}: has a {second['network']} with {second['kwargs']}, {origin} a "
                    f"{content['network']} with {content['kwargs']}; "
                    "only equal ones can be averaged"
                )
        if second["folded"]:
            raise ModelError(
                f"{self.model}: has its norms folded; give the checkpoint it came from"
            )
        state = {
            name: torch.lerp(weights, second["state"][name].to(weights.dtype), self.share)
            if weights.is_floating_point()
            else weights
            for name, weights in content["state"].items()
        }
        fact = {"model": self.model.name, "share": self.share}
        facts = {**content.get("facts", {}), "averaged_with": fact}
        return {**content, "state": state, "facts": facts, "history": []}


@torch.no_grad()
def settle_norms(network: nn.Module, luma: Tensor) -> None:
    """Set the norms of a network from a folded file to the statistics of features of `luma`.

    luma: N x 1 x H x W in 0..1, some dozens of training crops.  A folded norm changes nothing,
    and batch statistics would disrupt it in the first step of training.  Scales and shifts are
    set to match, so that the output stays the same, also in training.
    """
    training = network.training
    hooks = [
        module.register_forward_pre_hook(_settle_norm)
        for module in network.modules()
        if isinstance(module, nn.BatchNorm2d)
    ]
    network.eval()(luma)
    for hook in hooks:
        hook.remove()
    network.train(training)


def _settle_norm(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    norm, (features,) = module, inputs
    assert isinstance(norm, nn.BatchNorm2d)  # noqa: S101
    assert norm.running_mean is not None and norm.running_var is not None  # noqa: S101
    slope = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    shift = norm.bias - slope * norm.running_mean
    variance, mean = torch.var_mean(features, (0, 2, 3))
    norm.weight.copy_(slope * torch.sqrt(variance + norm.eps))
    norm.bias.copy_(shift + slope * mean)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)


def _read_model(path: Path) -> Any:
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        raise DependencyError(
            f"{path}: reading a model file needs onnx; run: pip install 'archive-colorizer[train]'"
        ) from None
    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); {_INSTEAD}") from None
    except DecodeError:
        raise ModelError(f"{path}: is no ONNX file; {_INSTEAD}") from None
    # External data could refer to any file of this machine.
    if any(weight.data_location == onnx.TensorProto.EXTERNAL for weight in model.graph.initializer):
        raise ModelError(f"{path}: keeps its weights in another file; {_INSTEAD}")
    return model


def _read_contract(model: Any, path: Path) -> ModelContract:
    stamped = {entry.key: entry.value for entry in model.metadata_props}
    if METADATA_KEY not in stamped:
        raise ModelError(f"{path}: carries no contract of this program; {_INSTEAD}")
    return ModelContract.from_json(stamped[METADATA_KEY], str(path))


def _rebuild_network(name: str, kwargs: Any, path: Path) -> nn.Module:
    try:
        return build_network(name, kwargs)
    except (UsageError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"{path}: holds a network that cannot be built here ({error}); {_INSTEAD}"
        ) from None


def _build_state(network: nn.Module, weights: Weights) -> dict[str, Tensor]:
    current = network.state_dict()
    loaded = {name: torch.from_numpy(weights[name].copy()) for name in current if name in weights}
    return {**{name: current[name] for name in current if name.endswith(_COUNTER)}, **loaded}


def _unfold(network: nn.Module, weights: Weights) -> dict[str, FloatArray]:
    """Add norms to weights whose norms are folded into the filters; they only add the bias."""
    unfolded, previous = dict(weights), ""
    for name, module in network.named_modules():
        # A norm comes right after its convolution.
        bias = weights.get(f"{previous}.weight{_FOLDED_BIAS}")
        if isinstance(module, nn.BatchNorm2d) and bias is not None:
            unfolded[f"{name}.weight"] = np.ones_like(bias)
            unfolded[f"{name}.bias"] = bias
            unfolded[f"{name}.running_mean"] = np.zeros_like(bias)
            unfolded[f"{name}.running_var"] = np.full_like(bias, 1.0 - module.eps)
        previous = name
    return unfolded
