"""The networks: luma in [0, 1], N x 1 x H x W, to CbCr in [-0.5, 0.5], N x 2 x H x W.

H and W are multiples of 32.  All scaling is inside, so that what is trained, exported
and run is one and the same function.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from archive_colorizer.errors import UsageError
from archive_colorizer.training.encoder import CHANNELS, LiteEncoder, read_imagenet_weights


def _conv(into: int, out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(into, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True)
    )


def _last(into: int, kernel: int) -> nn.Conv2d:
    """The layer that gives chroma; it begins near grey, the best guess that knows nothing."""
    conv = nn.Conv2d(into, 2, kernel, padding=kernel // 2)
    with torch.no_grad():
        conv.weight.mul_(0.05)
        conv.bias.zero_()  # type: ignore[union-attr]
    return conv


def _chroma(x: Tensor) -> Tensor:
    """From unbounded values to the open range of CbCr; near 0 the slope is 1."""
    return 0.5 * torch.tanh(2.0 * x)


class Unet(nn.Module):
    """The plain U-Net with skip connections, learned from scratch."""

    def __init__(self, widths: Sequence[int] = (24, 48, 80, 128, 160)) -> None:
        super().__init__()
        self.down = nn.ModuleList()
        into = 1
        for width in widths:
            self.down.append(nn.Sequential(_conv(into, width), _conv(width, width)))
            into = width
        self.up = nn.ModuleList()
        for deep, shallow in zip(widths[:0:-1], widths[-2::-1], strict=True):
            self.up.append(nn.Sequential(_conv(deep + shallow, shallow), _conv(shallow, shallow)))
        self.last = _last(widths[0], 1)

    def forward(self, luma: Tensor) -> Tensor:
        x = luma * 2.0 - 1.0
        skips = []
        for step, block in enumerate(self.down):
            x = block(functional.max_pool2d(x, 2) if step else x)
            skips.append(x)
        for block, skip in zip(self.up, skips[-2::-1], strict=True):
            x = block(torch.cat([functional.interpolate(x, scale_factor=2.0), skip], 1))
        return _chroma(self.last(x))


class Rise(nn.Module):
    """One step up: double the size, join the skip, tell it about the whole picture."""

    def __init__(self, deep: int, skip: int, out: int, context: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(deep, out, 1, bias=False)
        self.tell = nn.Conv2d(context, out, 1)
        self.join = _conv(out + skip, out)

    def forward(self, x: Tensor, skip: Tensor, context: Tensor) -> Tensor:
        x = self.reduce(x) + self.tell(context)
        x = functional.interpolate(x, scale_factor=2.0)
        made: Tensor = self.join(torch.cat([x, skip], 1))
        return made


class MobileUnet(nn.Module):
    """EfficientNet-Lite0 below, a light decoder above; half resolution, then bilinear.

    A vector pooled over the whole picture goes into every step of the decoder: what a
    pixel's color may be depends on what the picture is of.
    """

    def __init__(self, widths: Sequence[int] = (128, 80, 40, 16), context: int = 128) -> None:
        super().__init__()
        self.encoder = LiteEncoder()
        self.context = nn.Sequential(nn.Conv2d(CHANNELS[-1], context, 1), nn.ReLU(inplace=True))
        self.rises = nn.ModuleList()
        deep = CHANNELS[-1]
        for skip, out in zip(CHANNELS[-2::-1], widths, strict=True):
            self.rises.append(Rise(deep, skip, out, context))
            deep = out
        self.last = _last(deep, 3)

    def forward(self, luma: Tensor) -> Tensor:
        *skips, x = self.encoder(luma)
        context = self.context(x.mean((2, 3), keepdim=True))
        for rise, skip in zip(self.rises, skips[::-1], strict=True):
            x = rise(x, skip, context)
        x = functional.interpolate(
            self.last(x), scale_factor=2.0, mode="bilinear", align_corners=False
        )
        return _chroma(x)


NETWORKS: dict[str, Callable[..., nn.Module]] = {"mobile-unet": MobileUnet, "unet": Unet}


def build_network(name: str, kwargs: dict[str, Any] | None = None) -> nn.Module:
    """A network of the table with random weights.  Raises UsageError for an unknown name."""
    if name not in NETWORKS:
        raise UsageError(f"network {name!r} is unknown; known are {', '.join(sorted(NETWORKS))}")
    return NETWORKS[name](**(kwargs or {}))


def load_encoder_weights(network: nn.Module, weights: str) -> None:
    """Start the encoder from `weights`: a name, a .pth file, "none", or "auto".

    "auto" is efficientnet-lite0 for a network that has this encoder and nothing for the
    others, which take no weights by name or file: UsageError.
    """
    encoder = getattr(network, "encoder", None)
    fits = isinstance(encoder, LiteEncoder)
    if weights == "none" or (weights == "auto" and not fits):
        return
    if not isinstance(encoder, LiteEncoder):
        raise UsageError("this network has no encoder to load; give --encoder-weights none")
    name = "efficientnet-lite0" if weights == "auto" else weights
    encoder.load_imagenet(read_imagenet_weights(name), name)
