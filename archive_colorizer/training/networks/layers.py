"""What the networks are made of."""

import torch
from torch import Tensor, nn


def conv(into: int, out: int) -> nn.Sequential:
    """Convolution over 3 x 3 pixels, batch norm, ReLU; the size stays."""
    return nn.Sequential(
        nn.Conv2d(into, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True)
    )


def last_conv(into: int, out: int, kernel: int) -> nn.Conv2d:
    """The layer that gives the colors; it begins near grey, the best guess that knows nothing."""
    layer = nn.Conv2d(into, out, kernel, padding=kernel // 2)
    with torch.no_grad():
        layer.weight.mul_(0.05)
        layer.bias.zero_()  # type: ignore[union-attr]
    return layer


def to_range(x: Tensor) -> Tensor:
    """From unbounded values to the open range of CbCr; near 0 the slope is 1."""
    return 0.5 * torch.tanh(2.0 * x)
