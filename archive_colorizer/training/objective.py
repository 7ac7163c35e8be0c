"""What training makes small."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from archive_colorizer.training.config import TrainingRecipe
from archive_colorizer.training.perceptual import chroma_of, ciede2000, to_lab, to_srgb

Objective = Callable[[Tensor, Tensor, Tensor, TrainingRecipe], Tensor]
"""(predicted, luma, chroma, recipe) to a scalar.

predicted and chroma: N x 2 x H x W, CbCr in [-0.5, 0.5]; luma: N x 1 x H x W in [0, 1].
"""

_FULL_SATURATION = 0.3  # CbCr distance from grey beyond which a color counts as fully saturated
_BLOCKS = 4
_LARGE_GAP = 15.0  # CIE Lab chroma; smaller gaps weigh by their square, as for a mean
_SCALE = 0.01  # brings color differences to about the size of the other objective


def perceived_loss(
    predicted: Tensor, luma: Tensor, chroma: Tensor, recipe: TrainingRecipe
) -> Tensor:
    """Mean CIEDE2000 plus `colorfulness_weight` x the gap in CIE Lab chroma, a hundredth.

    Where a network cannot know, the smallest expected difference is a dull color; the gap
    between each pixel's chroma and the truth's, whatever the hues, is what dullness costs, and
    overdoing it as well.  (The gap in whole pictures' colorfulness, as in DDColor's loss,
    arXiv:2212.11613, is bought most cheaply by a few glaring spots.)  At half resolution,
    which is all that the eye and the mask resolve of color.
    """
    predicted, luma, chroma = (functional.avg_pool2d(x, 2) for x in (predicted, luma, chroma))
    made, truth = to_lab(to_srgb(luma, predicted)), to_lab(to_srgb(luma, chroma))
    gap = functional.smooth_l1_loss(chroma_of(made), chroma_of(truth), beta=_LARGE_GAP)
    return _SCALE * (ciede2000(made, truth).mean() + recipe.colorfulness_weight * gap)


def chroma_loss(predicted: Tensor, luma: Tensor, chroma: Tensor, recipe: TrainingRecipe) -> Tensor:
    """Smooth L1 of CbCr, weighted towards saturated pixels.

    Most of a photograph is nearly grey, so an even mean over pixels makes grey the safe
    answer: saturated pixels weigh more.  The squared error of the mean color of blocks and
    of whole pictures keeps the average warmth, which the per-pixel median would lose.
    """
    saturation = (chroma.norm(dim=1, keepdim=True) / _FULL_SATURATION).clamp(max=1.0)
    weight = 1.0 + recipe.saturation_weight * saturation
    error = functional.smooth_l1_loss(predicted, chroma, beta=recipe.huber, reduction="none")
    pixels: Tensor = (weight * error).mean() / (1.0 + 0.3 * recipe.saturation_weight)
    if not recipe.average_weight:
        return pixels
    gap = predicted - chroma
    averages = torch.zeros((), device=pixels.device)
    for blocks in (1, _BLOCKS):
        averages = averages + functional.adaptive_avg_pool2d(gap, blocks).square().mean()
    total: Tensor = pixels + recipe.average_weight * averages / (2.0 * recipe.huber)
    return total


OBJECTIVES: dict[str, Objective] = {"perceived": perceived_loss, "chroma": chroma_loss}
