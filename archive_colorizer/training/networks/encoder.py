"""Encoders: luma to five feature maps, at strides 2 to 32.

EfficientNet-Lite after Tan and Le (arXiv:1905.11946), without squeeze and excitation and with
ReLU6, and MobileNetV2 after Sandler et al. (arXiv:1801.04381): both are a stem and a row of
inverted residual blocks.
"""

import math
from abc import abstractmethod
from dataclasses import dataclass, replace

from torch import Tensor, nn
from torch.nn import functional

from archive_colorizer.errors import ModelError, UsageError
from archive_colorizer.training.networks.encoder_weights import PACKAGES, own_keys, read_weights

# expansion, channels, repeats, stride of the first, kernel
_Stages = tuple[tuple[int, int, int, int, int], ...]
_LITE0: _Stages = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
_MOBILENET_V2: _Stages = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 32, 3, 2, 3),
    (6, 64, 4, 2, 3),
    (6, 96, 3, 1, 3),
    (6, 160, 3, 2, 3),
    (6, 320, 1, 1, 3),
)
_TAPPED_STAGES = (0, 1, 2, 4, 6)
STRIDES = (2, 4, 8, 16, 32)


@dataclass(frozen=True, slots=True)
class Plan:
    """What tells one encoder from another.

    The stem sees (code value of luma - middle) / span.  With `folded`, batch norm is part of
    the convolutions, as in weights that were made for running only.
    """

    stages: _Stages
    middle: float = 127.0
    span: float = 128.0
    folded: bool = False

    def scaled(self, width: float, depth: float) -> "Plan":
        """EfficientNet's compound scaling; Lite leaves the first and last stage's depth."""
        ends = (0, len(self.stages) - 1)
        stages = tuple(
            (t, _round_channels(out * width), n if i in ends else math.ceil(n * depth), s, k)
            for i, (t, out, n, s, k) in enumerate(self.stages)
        )
        return replace(self, stages=stages)


def _round_channels(wanted: float) -> int:
    """The multiple of 8 that is nearest, but less than a tenth below."""
    nearest = max(8, int(wanted + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * wanted else nearest


PLANS = {
    "efficientnet-lite0": Plan(_LITE0),
    "efficientnet-lite1": Plan(_LITE0).scaled(1.0, 1.1),
    "efficientnet-lite2": Plan(_LITE0).scaled(1.1, 1.2),
    "mobilenet-v2": Plan(_MOBILENET_V2, middle=127.5, span=127.5, folded=True),
}


class Encoder(nn.Module):
    """Luma in [0, 1], N x 1 x H x W, to feature maps with `channels`, at `STRIDES`.

    H and W are multiples of 32.  `stem` and `blocks` are its parts, in order of use.
    """

    channels: tuple[int, ...]

    @abstractmethod
    def take_weights(self, weights: str) -> None:
        """Take the weights of ImageNet: "auto", a name, or a file.

        Raises UsageError for what this encoder cannot take, DependencyError where a package
        is missing, ModelError where keys or shapes are others.
        """


class ConvNorm(nn.Module):
    """Convolution and norm with TensorFlow's padding; the activation is the caller's."""

    def __init__(
        self,
        channels: tuple[int, int],
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        folded: bool = False,
    ) -> None:
        super().__init__()
        # TensorFlow's SAME on even sizes: a stride of 2 pads more to the right and bottom.
        spare = kernel - 2
        self.uneven = (spare // 2, spare - spare // 2) * 2 if stride == 2 else None
        self.conv = nn.Conv2d(
            *channels,
            kernel,
            stride,
            padding=0 if self.uneven else kernel // 2,
            groups=groups,
            bias=folded,
        )
        if folded:
            # Without a norm, only these first weights keep the range from block to block.
            nn.init.kaiming_normal_(self.conv.weight)
            self.norm: nn.Module = nn.Identity()
        else:
            self.norm = nn.BatchNorm2d(channels[1], eps=1e-3, momentum=0.02)

    def forward(self, x: Tensor) -> Tensor:
        if self.uneven:
            x = functional.pad(x, self.uneven)
        made: Tensor = self.norm(self.conv(x))
        return made


class Block(nn.Module):
    """Inverted residual: expand, filter each channel, project; plus the input where it fits."""

    def __init__(
        self, channels: tuple[int, int], expansion: int, kernel: int, stride: int, folded: bool
    ) -> None:
        super().__init__()
        into, out = channels
        wide = into * expansion
        self.expand = ConvNorm((into, wide), 1, folded=folded) if expansion > 1 else None
        self.depthwise = ConvNorm((wide, wide), kernel, stride=stride, groups=wide, folded=folded)
        self.project = ConvNorm((wide, out), 1, folded=folded)
        self.residual = stride == 1 and into == out

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu6(self.expand(x)) if self.expand else x
        y = self.project(functional.relu6(self.depthwise(y)))
        made: Tensor = x + y if self.residual else y
        return made


class InvertedEncoder(Encoder):
    """An encoder of `PLANS`."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name, self.plan = name, PLANS[name]
        folded = self.plan.folded
        self.stem = ConvNorm((1, 32), 3, stride=2, folded=folded)
        self.blocks = nn.ModuleList()
        self.taps: list[int] = []
        width = 32
        for index, (expansion, out, repeats, stride, kernel) in enumerate(self.plan.stages):
            for n in range(repeats):
                step = stride if n == 0 else 1
                self.blocks.append(Block((width, out), expansion, kernel, step, folded))
                width = out
            if index in _TAPPED_STAGES:
                self.taps.append(len(self.blocks) - 1)
        self.channels = tuple(self.plan.stages[index][1] for index in _TAPPED_STAGES)

    def forward(self, luma: Tensor) -> list[Tensor]:
        seen = (luma * 255.0 - self.plan.middle) / self.plan.span
        x = functional.relu6(self.stem(seen))
        features = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.taps:
                features.append(x)
        return features

    def take_weights(self, weights: str) -> None:
        if weights == "auto" and self.name not in PACKAGES:
            raise UsageError(
                f"encoder {self.name} has no package of weights; "
                "give --encoder-weights FILE or none"
            )
        if weights in PLANS and weights != self.name:
            raise UsageError(
                f"--encoder-weights {weights}: the network's encoder is {self.name}; "
                "give auto, or make the recipe's network_kwargs the same"
            )
        origin = self.name if weights == "auto" else weights
        state = read_weights(origin)
        try:
            self.load_state_dict(own_keys(state, self))
        except (LookupError, RuntimeError) as error:
            raise ModelError(f"{origin}: not the weights of {self.name} ({error})") from None
