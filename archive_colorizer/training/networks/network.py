"""The networks: luma in [0, 1], N x 1 x H x W, to what their `space` says, as large.

H and W are multiples of 32.  All scaling is inside, so that what is trained, exported
and run is one and the same function.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from archive_colorizer.errors import UsageError
from archive_colorizer.model.contract import OutputSpace
from archive_colorizer.training.networks.encoder import PLANS, Encoder, InvertedEncoder
from archive_colorizer.training.networks.layers import conv, last_conv, to_range
from archive_colorizer.training.networks.spaces import SPACES, Space
from archive_colorizer.training.networks.timm_encoder import TimmEncoder
from archive_colorizer.training.networks.vgg import VggAutoencoder


def build_encoder(name: str) -> Encoder:
    """An encoder with random weights: one of `PLANS`, or timm:NAME.  Raises UsageError."""
    if name.startswith("timm:"):
        return TimmEncoder(name.removeprefix("timm:"))
    if name not in PLANS:
        known = ", ".join(sorted(PLANS))
        raise UsageError(f"encoder {name!r} is unknown; known are {known} and timm:NAME")
    return InvertedEncoder(name)


def names_encoder(weights: str) -> bool:
    """Whether `weights` is an encoder's name, not "auto", "none" or a file."""
    return weights in PLANS or weights.startswith("timm:")


_USUAL_ENCODER = "efficientnet-lite0"


class Unet(nn.Module):
    """The plain U-Net with skip connections, learned from scratch."""

    def __init__(self, widths: Sequence[int] = (24, 48, 80, 128, 160)) -> None:
        super().__init__()
        self.down = nn.ModuleList()
        into = 1
        for width in widths:
            self.down.append(nn.Sequential(conv(into, width), conv(width, width)))
            into = width
        self.up = nn.ModuleList()
        for deep, shallow in zip(widths[:0:-1], widths[-2::-1], strict=True):
            self.up.append(nn.Sequential(conv(deep + shallow, shallow), conv(shallow, shallow)))
        self.last = last_conv(widths[0], 2, 1)

    def forward(self, luma: Tensor) -> Tensor:
        x = luma * 2.0 - 1.0
        skips = []
        for step, block in enumerate(self.down):
            x = block(functional.max_pool2d(x, 2) if step else x)
            skips.append(x)
        for block, skip in zip(self.up, skips[-2::-1], strict=True):
            x = block(torch.cat([functional.interpolate(x, scale_factor=2.0), skip], 1))
        return to_range(self.last(x))


class Rise(nn.Module):
    """One step up: double the size, join the skip, tell it about the whole picture."""

    def __init__(self, deep: int, skip: int, out: int, context: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(deep, out, 1, bias=False)
        self.tell = nn.Conv2d(context, out, 1)
        self.join = conv(out + skip, out)

    def forward(self, x: Tensor, skip: Tensor, context: Tensor) -> Tensor:
        x = self.reduce(x) + self.tell(context)
        x = functional.interpolate(x, scale_factor=2.0)
        made: Tensor = self.join(torch.cat([x, skip], 1))
        return made


class MobileUnet(nn.Module):
    """An encoder from ImageNet below, a light decoder above; half resolution, then bilinear.

    A vector pooled over the whole picture goes into every step of the decoder: what a
    pixel's color may be depends on what the picture is of.  `encoder` is a name that
    `build_encoder` knows.
    """

    def __init__(
        self,
        widths: Sequence[int] = (128, 80, 40, 16),
        context: int = 128,
        encoder: str = _USUAL_ENCODER,
    ) -> None:
        super().__init__()
        self.encoder = build_encoder(encoder)
        *skips, deep = self.encoder.channels
        self.context = nn.Sequential(nn.Conv2d(deep, context, 1), nn.ReLU(inplace=True))
        self.rises = nn.ModuleList()
        for skip, out in zip(skips[::-1], widths, strict=True):
            self.rises.append(Rise(deep, skip, out, context))
            deep = out
        self.last = last_conv(deep, 2, 3)

    def forward(self, luma: Tensor) -> Tensor:
        *skips, x = self.encoder(luma)
        context = self.context(x.mean((2, 3), keepdim=True))
        for rise, skip in zip(self.rises, skips[::-1], strict=True):
            x = rise(x, skip, context)
        x = functional.interpolate(
            self.last(x), scale_factor=2.0, mode="bilinear", align_corners=False
        )
        return to_range(x)


@dataclass(frozen=True, slots=True)
class Network:
    """One entry: how a network is made, what it gives, and whether it has an `Encoder`."""

    build: Callable[..., nn.Module]
    space: OutputSpace = "cbcr"
    has_encoder: bool = False


NETWORKS: dict[str, Network] = {
    "mobile-unet": Network(MobileUnet, has_encoder=True),
    "unet": Network(Unet),
    "vgg-autoencoder": Network(VggAutoencoder, space="rgb"),
}


def build_network(name: str, kwargs: Mapping[str, Any] | None = None) -> nn.Module:
    """A network of the table with random weights.  Raises UsageError for an unknown name."""
    return _entry(name).build(**(kwargs or {}))


def space_of(name: str) -> Space:
    """What the answers of a network of the table mean.  Raises UsageError."""
    return SPACES[_entry(name).space]


def choose_encoder(name: str, kwargs: Mapping[str, Any], weights: str) -> dict[str, Any]:
    """The kwargs of network `name` with the encoder that `weights` names, if they have none.

    So the name of weights alone is enough, and a checkpoint, which keeps the kwargs, can
    be rebuilt without them.
    """
    chosen = dict(kwargs)
    wanted = names_encoder(weights) and weights != _USUAL_ENCODER
    if wanted and _entry(name).has_encoder:
        chosen.setdefault("encoder", weights)
    return chosen


def load_encoder_weights(network: nn.Module, weights: str) -> None:
    """Start the encoder from `weights`: a name, a file, "none", or "auto".

    "auto" is the encoder's own weights, and nothing for a network without an encoder, which
    takes no weights by name or file: UsageError.  See `Encoder.take_weights` for more.
    """
    encoder = getattr(network, "encoder", None)
    if weights == "none" or (weights == "auto" and encoder is None):
        return
    if not isinstance(encoder, Encoder):
        raise UsageError("this network has no encoder to load; give --encoder-weights none")
    encoder.take_weights(weights)


def _entry(name: str) -> Network:
    if name not in NETWORKS:
        raise UsageError(f"network {name!r} is unknown; known are {', '.join(sorted(NETWORKS))}")
    return NETWORKS[name]
