"""The state of a training run, its optimizer and its learning rate."""

import copy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from archive_colorizer.training.config import TrainingRecipe

_COUNTERS = ("crops", "steps", "seconds", "history")
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(slots=True)
class TrainingState:
    """Hold everything that changes during training, which is what a checkpoint stores.

    forward: the network as called in training, perhaps compiled or distributed; dtype: its
    precision there.  scaler: scales float16 gradients; it does nothing in other precisions.
    """

    network: nn.Module
    averaged: nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    forward: Any
    device: torch.device
    dtype: torch.dtype
    crops: int = 0
    steps: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)

    def compute_progress(self, recipe: TrainingRecipe) -> float:
        """Compute the share of the run that is done, 0 to 1, by time or by crops."""
        if recipe.minutes:
            return min(1.0, self.seconds / (60.0 * recipe.minutes))
        return min(1.0, self.crops / recipe.crops)

    def to_checkpoint(self) -> dict[str, Any]:
        """Return plain values and tensors; the averaged weights are `state`."""
        return {
            "state": self.averaged.state_dict(),
            "weights": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            **{name: getattr(self, name) for name in _COUNTERS},
        }

    def restore(self, content: dict[str, Any]) -> None:
        """Resume from a checkpoint; the network already has its averaged weights."""
        self.network.load_state_dict(content["weights"])
        self.optimizer.load_state_dict(content["optimizer"])
        if self.scaler.is_enabled() and content.get("scaler"):
            self.scaler.load_state_dict(content["scaler"])
        for name in _COUNTERS:
            setattr(self, name, content[name])

    @classmethod
    def prepare(cls, network: nn.Module, recipe: TrainingRecipe) -> "TrainingState":
        """Prepare the initial state of a run on CUDA, or on the CPU without it."""
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        network.train()
        if recipe.encoder_weights != "none" and hasattr(network, "encoder"):
            _freeze(network.encoder, recipe)
        dtype = choose_dtype(recipe.precision, device)
        return cls(
            network=network,
            averaged=copy.deepcopy(network).eval(),
            optimizer=_make_optimizer(network, recipe),
            scaler=torch.amp.GradScaler(device.type, enabled=dtype == torch.float16),
            forward=torch.compile(network) if recipe.compile else network,
            device=device,
            dtype=dtype,
        )


def choose_dtype(precision: str, device: torch.device) -> torch.dtype:
    """Choose the dtype of the network; "auto" is half precision on CUDA and float32 elsewhere.

    bfloat16 is preferred: with the range of float32, no gradient vanishes.
    """
    if precision != "auto":
        return _DTYPES[precision]
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def _freeze(encoder: Any, recipe: TrainingRecipe) -> None:
    """Exclude the first blocks and the depthwise filters of an encoder from training.

    They suit any picture, and the large feature maps of the first blocks take most of the time.
    """
    if recipe.frozen_blocks:
        for part in (encoder.stem, *encoder.blocks[: recipe.frozen_blocks]):
            part.eval().requires_grad_(False)
    if recipe.frozen_filters:
        for layer in encoder.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()
            elif isinstance(layer, nn.Conv2d) and layer.groups > 1:
                layer.requires_grad_(False)


def _make_optimizer(network: nn.Module, recipe: TrainingRecipe) -> torch.optim.Optimizer:
    """Make AdamW with a slower encoder, and without decay of norms and biases."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, weight in network.named_parameters():
        if weight.requires_grad:
            factor = recipe.encoder_factor if name.startswith("encoder.") else 1.0
            decay = recipe.weight_decay if weight.ndim > 1 else 0.0
            groups.setdefault((factor, decay), []).append(weight)
    return torch.optim.AdamW(
        [
            {"params": weights, "factor": factor, "weight_decay": decay}
            for (factor, decay), weights in groups.items()
        ],
        lr=recipe.rate,
        fused=True,
    )
