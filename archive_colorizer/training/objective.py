"""What training makes small: the error in chroma, weighted towards saturated pixels."""

import torch
from torch import Tensor
from torch.nn import functional

from archive_colorizer.training.recipe import TrainingRecipe

_FULL_SATURATION = 0.3  # CbCr distance from grey beyond which a color counts as fully saturated
_BLOCKS = 4


def chroma_loss(predicted: Tensor, target: Tensor, recipe: TrainingRecipe) -> Tensor:
    """The loss of a batch, a scalar; both N x 2 x H x W, CbCr in [-0.5, 0.5].

    Most of a photograph is nearly grey, so an even mean over pixels makes grey the safe
    answer: saturated pixels weigh more.  The squared error of the mean color of blocks and
    of whole pictures keeps the average warmth, which the per-pixel median would lose.
    """
    saturation = (target.norm(dim=1, keepdim=True) / _FULL_SATURATION).clamp(max=1.0)
    weight = 1.0 + recipe.saturation_weight * saturation
    error = functional.smooth_l1_loss(predicted, target, beta=recipe.huber, reduction="none")
    pixels: Tensor = (weight * error).mean() / (1.0 + 0.3 * recipe.saturation_weight)
    if not recipe.average_weight:
        return pixels
    gap = predicted - target
    averages = torch.zeros((), device=pixels.device)
    for blocks in (1, _BLOCKS):
        averages = averages + functional.adaptive_avg_pool2d(gap, blocks).square().mean()
    total: Tensor = pixels + recipe.average_weight * averages / (2.0 * recipe.huber)
    return total
