"""What a network's answer means: its range, and the way from it to chroma.

Objectives, validation and the mask know chroma only; a network that gives something else is
held to what it gives as well.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from archive_colorizer.color.space import B_FROM_CB, G_FROM_CB, G_FROM_CR, KB, KG, KR, R_FROM_CR
from archive_colorizer.model.contract import OutputSpace

_HUBER = 0.05  # the error in RGB at which the loss turns from square to straight


@dataclass(frozen=True, slots=True)
class Space:
    """One kind of answer, N x C x H x W with values `low` to `high`.

    to_chroma: an answer to CbCr in [-0.5, 0.5], N x 2 x H x W, with gradients.
    own_loss: (answer, luma N x 1 x H x W, CbCr N x 2 x H x W) to a scalar, to be added to
        an objective on chroma.
    """

    low: float
    high: float
    to_chroma: Callable[[Tensor], Tensor]
    own_loss: Callable[[Tensor, Tensor, Tensor], Tensor]


def chroma_of_rgb(rgb: Tensor) -> Tensor:
    """CbCr (BT.601, centred) of RGB in [0, 1], N x 3 x H x W: N x 2 x H x W."""
    red, green, blue = rgb[:, :1], rgb[:, 1:2], rgb[:, 2:]
    luma = KR * red + KG * green + KB * blue
    return torch.cat([(blue - luma) / B_FROM_CB, (red - luma) / R_FROM_CR], 1)


def rgb_of_planes(luma: Tensor, chroma: Tensor) -> Tensor:
    """RGB clipped to [0, 1], N x 3 x H x W, of luma and CbCr (BT.601, centred)."""
    cb, cr = chroma[:, :1], chroma[:, 1:]
    green = luma + G_FROM_CB * cb + G_FROM_CR * cr
    return torch.cat([luma + R_FROM_CR * cr, green, luma + B_FROM_CB * cb], 1).clamp(0.0, 1.0)


def _rgb_loss(rgb: Tensor, luma: Tensor, chroma: Tensor) -> Tensor:
    return functional.smooth_l1_loss(rgb, rgb_of_planes(luma, chroma), beta=_HUBER)


SPACES: Final[Mapping[OutputSpace, Space]] = MappingProxyType(
    {
        "cbcr": Space(-0.5, 0.5, lambda chroma: chroma, lambda _a, luma, _c: luma.new_zeros(())),
        "rgb": Space(0.0, 1.0, chroma_of_rgb, _rgb_loss),
    }
)
