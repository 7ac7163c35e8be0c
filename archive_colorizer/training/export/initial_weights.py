"""A network's weights out of a checkpoint or a model file, to train on from there."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from archive_colorizer.errors import DependencyError, ModelError, UsageError
from archive_colorizer.model.contract import METADATA_KEY, ModelContract
from archive_colorizer.model.registry import models_at_hand
from archive_colorizer.training.checkpoint import load_checkpoint, restore_network
from archive_colorizer.training.export.weight_storage import read_weights
from archive_colorizer.training.networks.network import build_network

Weights = Mapping[str, npt.NDArray[np.float32]]

_INSTEAD = "give a model file that archive-colorize export wrote, or the checkpoint.pt of a run"
_COUNTER = "num_batches_tracked"
_FOLDED_BIAS = "_bias"


def load_initial(path: Path) -> dict[str, Any]:
    """Network, kwargs and state of a checkpoint, a run's folder, or a model file.

    `path` may be the name of a model that came with the program.  A model file's weights are
    those it was exported from, to within what it stores.  `folded` is true for a file that
    has its norms folded into its filters, as exports up to 0.1 did: such a network answers
    the same, and needs `settle_norms` before it is trained.

    Raises ModelError when the file is missing, damaged, of another program, or when its
    weights do not fit its network; DependencyError without onnx.
    """
    if not path.exists():
        path = models_at_hand().get(str(path), path)
    if path.suffix != ".onnx":
        return {**load_checkpoint(path), "folded": False}
    model = _read_model(path)
    contract = _contract(model, path)
    settings = contract.training.get("recipe")
    if not isinstance(settings, dict):
        raise ModelError(f"{path}: its contract does not say how it was trained; {_INSTEAD}")
    kwargs = settings.get("network_kwargs", {})
    network = _build(contract.family, kwargs, path)
    weights = read_weights(model)
    folded = not _expected(network) <= weights.keys()
    state = _unfold(network, weights) if folded else dict(weights)
    content = {"network": contract.family, "kwargs": kwargs, "folded": folded}
    content["state"] = _as_state(network, state)
    restore_network(content, f"{path}")
    return content


@torch.no_grad()
def settle_norms(network: nn.Module, luma: Tensor) -> None:
    """Give the norms of a network from a folded file the statistics of `luma`'s features.

    luma: N x 1 x H x W in 0..1, some dozens of crops of what will be trained on.  A folded
    norm passes everything through, and batch statistics would throw it off with the first
    step of training.  Scales and shifts are set to match, so that the network answers as
    before, in training as well.
    """
    training = network.training
    hooks = [
        module.register_forward_pre_hook(_settle)
        for module in network.modules()
        if isinstance(module, nn.BatchNorm2d)
    ]
    network.eval()(luma)
    for hook in hooks:
        hook.remove()
    network.train(training)


def _settle(module: nn.Module, given: tuple[Tensor, ...]) -> None:
    norm, (features,) = module, given
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
    # A weight outside of the file could be any file of this machine.
    if any(one.data_location == onnx.TensorProto.EXTERNAL for one in model.graph.initializer):
        raise ModelError(f"{path}: keeps its weights in another file; {_INSTEAD}")
    return model


def _contract(model: Any, path: Path) -> ModelContract:
    stamped = {entry.key: entry.value for entry in model.metadata_props}
    if METADATA_KEY not in stamped:
        raise ModelError(f"{path}: carries no contract of this program; {_INSTEAD}")
    return ModelContract.from_json(stamped[METADATA_KEY], str(path))


def _build(name: str, kwargs: Any, path: Path) -> nn.Module:
    try:
        return build_network(name, kwargs)
    except (UsageError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"{path}: holds a network that cannot be built here ({error}); {_INSTEAD}"
        ) from None


def _expected(network: nn.Module) -> set[str]:
    """The names of a network's weights, without the counters that no answer depends on."""
    return {name for name in network.state_dict() if not name.endswith(_COUNTER)}


def _as_state(network: nn.Module, weights: Weights) -> dict[str, Tensor]:
    """What the network takes of `weights`, and its own counters."""
    own = network.state_dict()
    taken = {name: torch.from_numpy(weights[name].copy()) for name in own if name in weights}
    return {**{name: own[name] for name in own if name.endswith(_COUNTER)}, **taken}


def _unfold(network: nn.Module, weights: Weights) -> dict[str, npt.NDArray[np.float32]]:
    """Weights for a network whose file has filters that do the work of their norms as well.

    The norms become those that change nothing but add the folded bias.
    """
    made = dict(weights)
    for filters, name, norm in _normed(network):
        bias = weights.get(f"{filters}.weight{_FOLDED_BIAS}")
        if bias is not None:
            made[f"{name}.weight"] = np.ones_like(bias)
            made[f"{name}.bias"] = bias
            made[f"{name}.running_mean"] = np.zeros_like(bias)
            made[f"{name}.running_var"] = np.full_like(bias, 1.0 - norm.eps)
    return made


def _normed(network: nn.Module) -> Iterator[tuple[str, str, nn.BatchNorm2d]]:
    """Name of a convolution, name and self of the norm that stands right behind it."""
    before = ""
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            yield before, name, module
        before = name
