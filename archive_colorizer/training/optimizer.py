"""What of a network is trained, how fast, and by which optimizer."""

import math

import torch
from torch import nn

from archive_colorizer.training.config import TrainingRecipe


def freeze(network: nn.Module, recipe: TrainingRecipe) -> None:
    """Set a network to training; what its encoder knows of any picture stays as it is.

    The first blocks' filters suit any picture, and their large feature maps are what
    training spends most of its time on.
    """
    network.train()
    encoder = getattr(network, "encoder", None)
    if encoder is None:
        return
    if recipe.frozen_blocks:
        for part in (encoder.stem, *encoder.blocks[: recipe.frozen_blocks]):
            part.eval().requires_grad_(False)
    if recipe.frozen_filters:
        for layer in encoder.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()
            elif isinstance(layer, nn.Conv2d) and layer.groups > 1:
                layer.requires_grad_(False)


def make_optimizer(network: nn.Module, recipe: TrainingRecipe) -> torch.optim.Optimizer:
    """AdamW; the encoder learns slower, and norms and biases do not decay."""
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


def rate_at(progress: float, recipe: TrainingRecipe) -> float:
    """The decoder's learning rate: up in a line, then down along a cosine to 0."""
    if progress < recipe.warmup:
        return recipe.rate * progress / recipe.warmup
    rest = (progress - recipe.warmup) / max(1e-9, 1.0 - recipe.warmup)
    return recipe.rate * 0.5 * (1.0 + math.cos(math.pi * rest))
