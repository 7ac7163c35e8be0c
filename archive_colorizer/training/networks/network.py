"""The networks, from luma in [0, 1], N x 1 x H x W, to an output of their `space` and that size.

H and W are multiples of 32.  All scaling is inside, so that the same function is trained,
exported and run.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from archive_colorizer.color.space import B_FROM_CB, G_FROM_CB, G_FROM_CR, KB, KG, KR, R_FROM_CR
from archive_colorizer.errors import UsageError
from archive_colorizer.model.contract import OutputSpace
from archive_colorizer.training.networks.encoder import PLANS, Encoder, InvertedEncoder
from archive_colorizer.training.networks.layers import make_conv, make_last_conv, to_range
from archive_colorizer.training.networks.timm_encoder import TimmEncoder
from archive_colorizer.training.networks.vgg import VggAutoencoder

_ENCODER = "efficientnet-lite0"
_LOG_ERROR = 2.3  # the logarithm of 10, about the mean CIEDE2000 difference of a network
_HUBER = 0.05  # error in RGB at which the loss turns from quadratic to linear


def build_encoder(name: str) -> Encoder:
    """Build an encoder of `PLANS`, or timm:NAME, with random weights.  Raises UsageError."""
    if name.startswith("timm:"):
        return TimmEncoder(name.removeprefix("timm:"))
    if name not in PLANS:
        names = ", ".join(sorted(PLANS))
        raise UsageError(f"encoder {name!r} is unknown; known are {names} and timm:NAME")
    return InvertedEncoder(name)


class _Unet(nn.Module):
    """A plain U-Net with skip connections, trained from scratch."""

    def __init__(self, widths: Sequence[int] = (24, 48, 80, 128, 160)) -> None:
        super().__init__()
        self.down = nn.ModuleList()
        into = 1
        for width in widths:
            self.down.append(nn.Sequential(make_conv(into, width), make_conv(width, width)))
            into = width
        self.up = nn.ModuleList()
        for deep, shallow in zip(widths[:0:-1], widths[-2::-1], strict=True):
            self.up.append(
                nn.Sequential(make_conv(deep + shallow, shallow), make_conv(shallow, shallow))
            )
        self.last = make_last_conv(widths[0], 2, 1)

    def forward(self, luma: Tensor) -> Tensor:
        x = luma * 2.0 - 1.0
        skips = []
        for step, block in enumerate(self.down):
            x = block(functional.max_pool2d(x, 2) if step else x)
            skips.append(x)
        for block, skip in zip(self.up, skips[-2::-1], strict=True):
            x = block(torch.cat([functional.interpolate(x, scale_factor=2.0), skip], 1))
        return to_range(self.last(x))


class _DecoderBlock(nn.Module):
    """Double the size and combine it with the skip connection and the global context."""

    def __init__(self, deep: int, skip: int, out: int, context: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(deep, out, 1, bias=False)
        self.tell = nn.Conv2d(context, out, 1)
        self.join = make_conv(out + skip, out)

    def forward(self, x: Tensor, skip: Tensor, context: Tensor) -> Tensor:
        x = self.reduce(x) + self.tell(context)
        x = functional.interpolate(x, scale_factor=2.0)
        joined: Tensor = self.join(torch.cat([x, skip], 1))
        return joined


class _ConfidenceHead(nn.Module):
    """Compute a factor on chroma and the logarithm of the expected error, both N x 1 x H x W.

    The factor is in (0, 2), and 1 without training; the error is a CIEDE2000 difference.
    """

    def __init__(self, into: int, context: int, width: int = 32) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(into, width, 1)
        self.tell = nn.Conv2d(context, width, 1)
        self.last = nn.Conv2d(width, 2, 3, padding=1)
        with torch.no_grad():
            self.last.weight.zero_()
            self.last.bias.copy_(torch.tensor([0.0, _LOG_ERROR]))  # type: ignore[union-attr]

    def forward(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        x = self.last(functional.relu(self.reduce(x) + self.tell(context)))
        return 2.0 * torch.sigmoid(x[:, :1]), x[:, 1:]


class _MobileUnet(nn.Module):
    """A pretrained encoder and a light decoder to half the size, then bilinear upsampling.

    A vector that is pooled over the whole picture enters every step of the decoder, because
    color depends on the subject.  encoder: see `build_encoder`.  confidence: shrink chroma where
    it cannot be known, and give the logarithm of the expected CIEDE2000 difference as a third
    channel; see `_ConfidenceHead`.
    """

    def __init__(
        self,
        widths: Sequence[int] = (128, 80, 40, 16),
        context: int = 128,
        encoder: str = _ENCODER,
        confidence: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = build_encoder(encoder)
        *skips, deep = self.encoder.channels
        self.context = nn.Sequential(nn.Conv2d(deep, context, 1), nn.ReLU(inplace=True))
        self.rises = nn.ModuleList()
        for skip, out in zip(skips[::-1], widths, strict=True):
            self.rises.append(_DecoderBlock(deep, skip, out, context))
            deep = out
        self.last = make_last_conv(deep, 2, 3)
        self.confidence = _ConfidenceHead(widths[-2], context) if confidence else None

    def forward(self, luma: Tensor) -> Tensor:
        *skips, x = self.encoder(luma)
        context = self.context(x.mean((2, 3), keepdim=True))
        quarter = x
        for rise, skip in zip(self.rises, skips[::-1], strict=True):
            quarter, x = x, rise(x, skip, context)
        x = functional.interpolate(self.last(x), scale_factor=2.0, mode="bilinear")
        if self.confidence is None:
            return to_range(x)
        factor, doubt = (
            functional.interpolate(plane, scale_factor=4.0, mode="bilinear")
            for plane in self.confidence(quarter, context)
        )
        return torch.cat([to_range(x * factor), doubt], 1)


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """Describe an output, N x C x H x W with values `low` to `high`.

    to_chroma: convert it to CbCr in [-0.5, 0.5], N x 2 x H x W, with gradients.
    extra_loss: a scalar of (output, luma N x 1 x H x W, CbCr N x 2 x H x W) that is added to
        the objective on chroma.
    """

    low: float
    high: float
    to_chroma: Callable[[Tensor], Tensor]
    extra_loss: Callable[[Tensor, Tensor, Tensor], Tensor]


def compute_chroma(rgb: Tensor) -> Tensor:
    """Compute CbCr (BT.601), N x 2 x H x W, of RGB in [0, 1], N x 3 x H x W."""
    red, green, blue = rgb[:, :1], rgb[:, 1:2], rgb[:, 2:]
    luma = KR * red + KG * green + KB * blue
    return torch.cat([(blue - luma) / B_FROM_CB, (red - luma) / R_FROM_CR], 1)


def attach_chroma(luma: Tensor, chroma: Tensor) -> Tensor:
    """Compute RGB, N x 3 x H x W, of luma and CbCr (BT.601); it may leave [0, 1]."""
    cb, cr = chroma[:, :1], chroma[:, 1:]
    green = luma + G_FROM_CB * cb + G_FROM_CR * cr
    return torch.cat([luma + R_FROM_CR * cr, green, luma + B_FROM_CB * cb], 1)


def _compute_rgb_loss(rgb: Tensor, luma: Tensor, chroma: Tensor) -> Tensor:
    return functional.smooth_l1_loss(rgb, attach_chroma(luma, chroma).clamp(0.0, 1.0), beta=_HUBER)


OUTPUT_FORMATS: dict[OutputSpace, OutputFormat] = {
    "cbcr": OutputFormat(
        -0.5, 0.5, lambda cbcr: cbcr[:, :2], lambda _, luma, __: luma.new_zeros(())
    ),
    "rgb": OutputFormat(0.0, 1.0, compute_chroma, _compute_rgb_loss),
}


@dataclass(frozen=True, slots=True)
class NetworkEntry:
    """Describe a network: its class, its output space, and whether it has an `Encoder`."""

    build: Callable[..., nn.Module]
    space: OutputSpace = "cbcr"
    has_encoder: bool = False


NETWORKS: dict[str, NetworkEntry] = {
    "mobile-unet": NetworkEntry(_MobileUnet, has_encoder=True),
    "unet": NetworkEntry(_Unet),
    "vgg-autoencoder": NetworkEntry(VggAutoencoder, space="rgb"),
}


def build_network(name: str, kwargs: Mapping[str, Any] | None = None) -> nn.Module:
    """Build a network of `NETWORKS` with random weights; an unknown name raises UsageError."""
    return _get_entry(name).build(**(kwargs or {}))


def get_output_format(name: str) -> OutputFormat:
    """Return the output format of a network of `NETWORKS`.  Raises UsageError."""
    return OUTPUT_FORMATS[_get_entry(name).space]


def choose_encoder(name: str, kwargs: Mapping[str, Any], weights: str) -> dict[str, Any]:
    """Add the encoder that `weights` names to the kwargs of network `name`, if they have none.

    So the name of the weights suffices, and a checkpoint, which stores the kwargs, can be
    rebuilt without it.
    """
    chosen = dict(kwargs)
    is_named = weights in PLANS or weights.startswith("timm:")
    if is_named and weights != _ENCODER and _get_entry(name).has_encoder:
        chosen.setdefault("encoder", weights)
    return chosen


def load_encoder_weights(network: nn.Module, weights: str) -> None:
    """Load the encoder's `weights`: a name, a file, "none", or "auto".

    "auto" loads the encoder's own weights, if the network has an encoder; without one, a name
    or a file raises UsageError.  See `Encoder.load_weights` for other errors.
    """
    encoder = getattr(network, "encoder", None)
    if weights == "none" or (weights == "auto" and encoder is None):
        return
    if not isinstance(encoder, Encoder):
        raise UsageError("this network has no encoder to load; give --encoder-weights none")
    encoder.load_weights(weights)


def _get_entry(name: str) -> NetworkEntry:
    if name not in NETWORKS:
        raise UsageError(f"network {name!r} is unknown; known are {', '.join(sorted(NETWORKS))}")
    return NETWORKS[name]
