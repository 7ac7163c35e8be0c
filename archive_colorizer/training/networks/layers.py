"""Layers that the networks share."""

import torch
from torch import Tensor, nn


def make_conv(into: int, out: int) -> nn.Sequential:
    """Make a 3 x 3 convolution, batch norm and ReLU that keep the size."""
    return nn.Sequential(
        nn.Conv2d(into, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True)
    )


def make_last_conv(into: int, out: int, kernel: int) -> nn.Conv2d:
    """Make the output layer, which starts near grey, the best guess without training."""
    layer = nn.Conv2d(into, out, kernel, padding=kernel // 2)
    with torch.no_grad():
        layer.weight.mul_(0.05)
        layer.bias.zero_()  # type: ignore[union-attr]
    return layer


def to_range(x: Tensor) -> Tensor:
    """Map unbounded values to the open range of CbCr, with a slope of 1 at 0."""
    return 0.5 * torch.tanh(2.0 * x)
