"""The loss functions of training."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from archive_colorizer.training.config import TrainingRecipe
from archive_colorizer.training.networks.network import attach_chroma

Objective = Callable[[Tensor, Tensor, Tensor, TrainingRecipe], Tensor]
"""A function of (predicted, luma, chroma, recipe) that returns a scalar.

predicted and chroma: N x 2 x H x W, CbCr in [-0.5, 0.5]; luma: N x 1 x H x W in [0, 1].
"""

_FULL_SATURATION = 0.3  # CbCr distance from grey beyond which a color counts as fully saturated
_BLOCKS = 4
_LARGE_GAP = 15.0  # CIE Lab chroma; smaller gaps weigh by their square, as for a mean
_SCALE = 0.01  # brings color differences to about the size of the other objective
_WHITE_D65 = (0.95047, 1.0, 1.08883)
_XYZ_OF_SRGB = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_TINY = 1e-6
_25_7 = 25.0**7


def _compute_perceived_loss(
    predicted: Tensor, luma: Tensor, chroma: Tensor, recipe: TrainingRecipe
) -> Tensor:
    """Compute mean CIEDE2000 plus `colorfulness_weight` x the gap in CIE Lab chroma, / 100.

    Where the color is uncertain, a dull color has the smallest expected difference; the gap in
    chroma of each pixel penalizes that.  (The gap in colorfulness of whole pictures, as in
    DDColor's loss, arXiv:2212.11613, is most easily closed by a few glaring spots.)  It is
    computed at half resolution, since the eye and the mask resolve no more of color.
    """
    predicted, luma, chroma = (functional.avg_pool2d(x, 2) for x in (predicted, luma, chroma))
    lab, truth = to_lab(to_srgb(luma, predicted)), to_lab(to_srgb(luma, chroma))
    gap = functional.smooth_l1_loss(measure_chroma(lab), measure_chroma(truth), beta=_LARGE_GAP)
    return _SCALE * (compute_ciede2000(lab, truth).mean() + recipe.colorfulness_weight * gap)


def _compute_aligned_loss(
    predicted: Tensor, luma: Tensor, chroma: Tensor, recipe: TrainingRecipe
) -> Tensor:
    """Compute mean CIEDE2000 less `colorfulness_weight` x the chroma that is right, / 100.

    The chroma that is right is the CIE Lab chroma in the direction of the truth's hue, up to the
    truth's.  Where the hue is uncertain its expectation is near 0, so that only a color that can
    be known is made strong; the penalty of `_compute_perceived_loss` makes any color strong.
    It is computed at half resolution.
    """
    predicted, luma, chroma = (functional.avg_pool2d(x, 2) for x in (predicted, luma, chroma))
    lab, truth = to_lab(to_srgb(luma, predicted)), to_lab(to_srgb(luma, chroma))
    strength = measure_chroma(truth)
    right = torch.minimum((lab[:, 1:] * truth[:, 1:]).sum(1) / strength, strength)
    loss = compute_ciede2000(lab, truth).mean() - recipe.colorfulness_weight * right.mean()
    return _SCALE * loss


def compute_consistency_loss(predicted: Tensor, luma: Tensor, transforms: Tensor) -> Tensor:
    """Compute the mean CIEDE2000 difference between two views of the same crops, / 100.

    predicted: 2N x 2 x H x W, CbCr of N first views, then of N second views; luma: 2N x 1 x H x W
    in [0, 1]; transforms: N x 2 x 3, from places of the second view to those of the first, as
    `affine_grid` takes them.
    """
    predicted, luma = functional.avg_pool2d(predicted, 2), functional.avg_pool2d(luma, 2)
    count = len(transforms)
    first, second = predicted[:count], predicted[count:]
    grid = functional.affine_grid(transforms, list(second.shape), align_corners=False)
    first = functional.grid_sample(first, grid, padding_mode="border", align_corners=False)
    views = (to_lab(to_srgb(luma[count:], chroma)) for chroma in (first, second))
    return _SCALE * compute_ciede2000(*views).mean()


def compute_doubt_loss(doubt: Tensor, predicted: Tensor, luma: Tensor, chroma: Tensor) -> Tensor:
    """Compute the negative log likelihood of the network's own errors, / 100.

    doubt: N x 1 x H x W, the logarithm of the CIEDE2000 difference that is expected.  Errors are
    taken as exponentially distributed, so that the expectation is learned (Kendall and Gal,
    arXiv:1703.04977, for a Gaussian); they get no gradient.
    """
    doubt, luma, chroma = (functional.avg_pool2d(x, 2) for x in (doubt, luma, chroma))
    predicted = functional.avg_pool2d(predicted.detach(), 2)
    labs = (to_lab(to_srgb(luma, planes)) for planes in (predicted, chroma))
    log_expected = doubt[:, 0]
    return _SCALE * (log_expected + compute_ciede2000(*labs) * torch.exp(-log_expected)).mean()


def _compute_chroma_loss(
    predicted: Tensor, luma: Tensor, chroma: Tensor, recipe: TrainingRecipe
) -> Tensor:
    """Compute the smooth L1 error of CbCr, weighted towards saturated pixels.

    Most of a photograph is nearly grey, so that an even mean over pixels would favor grey.
    The squared error of the mean color of blocks and of whole pictures preserves the average
    warmth, which the per-pixel median would lose.
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


OBJECTIVES: dict[str, Objective] = {
    "aligned": _compute_aligned_loss,
    "perceived": _compute_perceived_loss,
    "chroma": _compute_chroma_loss,
}


def to_srgb(luma: Tensor, chroma: Tensor) -> Tensor:
    """Convert luma (N x 1 x H x W) and CbCr (N x 2 x H x W) to sRGB in [0, 1], N x 3 x H x W.

    Colors out of gamut are clipped as in the pipeline, but the gradient ignores the clipping;
    otherwise nothing would pull them back.
    """
    rgb = attach_chroma(luma, chroma)
    return rgb + (rgb.clamp(0.0, 1.0) - rgb).detach()


def to_lab(srgb: Tensor) -> Tensor:
    """Convert gamma-coded sRGB in [0, 1], N x 3 x H x W, to CIE L*a*b* (D65; L 0 to 100)."""
    steep = ((srgb.clamp(min=0.04) + 0.055) / 1.055) ** 2.4
    linear = torch.where(srgb <= 0.04045, srgb / 12.92, steep)
    matrix = srgb.new_tensor(_XYZ_OF_SRGB) / srgb.new_tensor(_WHITE_D65)[:, None]
    xyz = torch.einsum("ij,njhw->nihw", matrix, linear)
    edge = (6.0 / 29.0) ** 3
    f = torch.where(xyz > edge, xyz.clamp(min=edge) ** (1 / 3), xyz * (841.0 / 108.0) + 4.0 / 29.0)
    x, y, z = f.unbind(1)
    return torch.stack([116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)], 1)


def compute_ciede2000(lab: Tensor, truth: Tensor) -> Tensor:
    """Compute the CIEDE2000 difference, N x H x W, of two L*a*b* pictures, N x 3 x H x W.

    Source: Sharma, Wu and Dalal, Color Research and Application 30 (2005).  Values are exact
    down to a floor of about 0.001, which keeps the slope finite where the two are equal; the
    mean hue gets no gradient, because it is undefined at grey.
    """
    (l1, a1, b1), (l2, a2, b2) = lab.unbind(1), truth.unbind(1)
    mean_seventh = ((_compute_length(a1, b1) + _compute_length(a2, b2)) / 2.0) ** 7
    stretch = 1.5 - 0.5 * torch.sqrt(mean_seventh / (mean_seventh + _25_7) + _TINY)
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = _compute_length(a1, b1), _compute_length(a2, b2)
    mean_c = (c1 + c2) / 2.0
    tone, turn = _compute_hue_terms(a1, b1, a2, b2, mean_c)
    light = ((l1 + l2) / 2.0 - 50.0) ** 2
    dl = (l1 - l2) / (1.0 + 0.015 * light / torch.sqrt(20.0 + light))
    dc = (c1 - c2) / (1.0 + 0.045 * mean_c)
    # 2 sqrt(c1 c2) sin(angle / 2), computed without the angle.
    squared = (2.0 * (c1 * c2 - a1 * a2 - b1 * b2)).clamp(min=0.0)
    side = torch.sign(a2 * b1 - a1 * b2)
    dh = side * torch.sqrt(squared + _TINY) / (1.0 + 0.015 * mean_c * tone)
    return torch.sqrt((dl * dl + dc * dc + dh * dh + turn * dc * dh).clamp(min=0.0) + _TINY)


def measure_chroma(lab: Tensor) -> Tensor:
    """Measure C*ab, the distance from grey, N x H x W, of L*a*b*, N x 3 x H x W."""
    return _compute_length(lab[:, 1], lab[:, 2])


def _compute_length(a: Tensor, b: Tensor) -> Tensor:
    return torch.sqrt(a * a + b * b + _TINY)


@torch.no_grad()
def _compute_hue_terms(
    a1: Tensor, b1: Tensor, a2: Tensor, b2: Tensor, c: Tensor
) -> tuple[Tensor, Tensor]:
    """Compute T and R_T of the standard."""
    h1, h2 = torch.atan2(b1, a1) % (2 * math.pi), torch.atan2(b2, a2) % (2 * math.pi)
    mean = (h1 + h2) / 2.0
    mean = torch.where((h1 - h2).abs() > math.pi, mean + math.pi, mean) % (2 * math.pi)
    degrees = torch.rad2deg(mean)
    tone = (
        1.0
        - 0.17 * torch.cos(mean - math.radians(30.0))
        + 0.24 * torch.cos(2.0 * mean)
        + 0.32 * torch.cos(3.0 * mean + math.radians(6.0))
        - 0.20 * torch.cos(4.0 * mean - math.radians(63.0))
    )
    blue = torch.deg2rad(60.0 * torch.exp(-(((degrees - 275.0) / 25.0) ** 2)))
    seventh = c**7
    return tone, -2.0 * torch.sqrt(seventh / (seventh + _25_7)) * torch.sin(blue)
