"""What changes while a network is being trained."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from archive_colorizer.training.config import TrainingRecipe


@dataclass(slots=True)
class Run:
    """Everything that changes while training goes on, and so everything a checkpoint holds.

    forward: the network as it is called in training, perhaps compiled, with the same weights;
    dtype: what it computes in then.  scaler: keeps gradients of float16 from vanishing, and
    does nothing in other precisions.
    """

    network: nn.Module
    averaged: nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    forward: Callable[[Tensor], Tensor]
    device: torch.device
    dtype: torch.dtype
    crops: int = 0
    steps: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)

    def progress(self, recipe: TrainingRecipe) -> float:
        """The share of the run that is done, 0 to 1: by the clock, or by crops."""
        if recipe.minutes:
            return min(1.0, self.seconds / (60.0 * recipe.minutes))
        return min(1.0, self.crops / recipe.crops)

    def content(self) -> dict[str, Any]:
        """All of it as plain values and tensors; the averaged weights are `state`."""
        return {
            "state": self.averaged.state_dict(),
            "weights": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "crops": self.crops,
            "steps": self.steps,
            "seconds": self.seconds,
            "history": self.history,
        }

    def go_on(self, content: dict[str, Any]) -> None:
        """Take up what `content` made; the averaged weights are in the network already."""
        self.network.load_state_dict(content["weights"])
        self.optimizer.load_state_dict(content["optimizer"])
        if self.scaler.is_enabled() and content.get("scaler"):
            self.scaler.load_state_dict(content["scaler"])
        self.crops, self.steps = content["crops"], content["steps"]
        self.seconds, self.history = content["seconds"], content["history"]
