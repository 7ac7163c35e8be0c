"""The baseline, a VGG16-like autoencoder without skip connections.

Its output is blurred, because all detail passes a map of a 32nd of the size; as a color mask
over the sharp original that suffices for a baseline.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from archive_colorizer.training.networks.layers import make_conv, make_last_conv


class VggAutoencoder(nn.Module):
    """Map luma in [0, 1], N x 1 x H x W, to gamma-coded RGB in [0, 1], N x 3 x H x W.

    H and W are multiples of 2 to the number of blocks, 32 for five.  The blocks are those of
    VGG16 (Simonyan and Zisserman, arXiv:1409.1556, configuration D): `repeats` convolutions of
    `widths` channels, then a pool.  The default has a quarter of VGG16's channels, and batch
    norm, so that it trains from scratch in an hour.
    """

    def __init__(
        self,
        widths: Sequence[int] = (16, 32, 64, 128, 128),
        repeats: Sequence[int] = (2, 2, 3, 3, 3),
    ) -> None:
        super().__init__()
        steps = list(zip(widths, repeats, strict=True))
        self.down = nn.ModuleList()
        into = 1
        for width, count in steps:
            self.down.append(_make_block(into, width, width, count))
            into = width
        self.up = nn.ModuleList()
        for (width, count), out in zip(steps[::-1], [*widths[-2::-1], widths[0]], strict=True):
            self.up.append(_make_block(width, width, out, count))
        self.last = make_last_conv(widths[0], 3, 3)

    def forward(self, luma: Tensor) -> Tensor:
        x = luma * 2.0 - 1.0
        for block in self.down:
            x = functional.max_pool2d(block(x), 2)
        for block in self.up:
            x = block(functional.interpolate(x, scale_factor=2.0))
        return torch.sigmoid(self.last(x))


def _make_block(into: int, width: int, out: int, count: int) -> nn.Sequential:
    edges = [into, *[width] * (count - 1), out]
    return nn.Sequential(*(make_conv(a, b) for a, b in pairwise(edges)))
