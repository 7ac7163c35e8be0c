"""Encoders, which turn luma into five feature maps at strides 2 to 32.

EfficientNet-Lite (Tan and Le, arXiv:1905.11946, without squeeze and excitation and with ReLU6)
and MobileNetV2 (Sandler et al., arXiv:1801.04381) are a stem and inverted residual blocks.
"""

import math
from abc import abstractmethod
from dataclasses import dataclass, replace

from torch import Tensor, nn
from torch.nn import functional

from archive_colorizer.errors import ModelError, UsageError
from archive_colorizer.training.networks.encoder_weights import PACKAGES, convert_keys, read_weights

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
class _EncoderPlan:
    """Describe the structure and the input normalization of an encoder.

    Its input is (code value of luma - mean) / std.  If `is_folded`, batch norm is part of the
    convolutions, as in weights for inference only.
    """

    stages: _Stages
    mean: float = 127.0
    std: float = 128.0
    is_folded: bool = False

    def scale(self, width: float, depth: float) -> "_EncoderPlan":
        """Apply EfficientNet's compound scaling; Lite keeps the depth of the end stages."""
        ends = (0, len(self.stages) - 1)
        stages = tuple(
            (t, _round_channels(out * width), n if i in ends else math.ceil(n * depth), s, k)
            for i, (t, out, n, s, k) in enumerate(self.stages)
        )
        return replace(self, stages=stages)


def _round_channels(channels: float) -> int:
    """Round to the nearest multiple of 8 that is less than a tenth below."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


PLANS = {
    "efficientnet-lite0": _EncoderPlan(_LITE0),
    "efficientnet-lite1": _EncoderPlan(_LITE0).scale(1.0, 1.1),
    "efficientnet-lite2": _EncoderPlan(_LITE0).scale(1.1, 1.2),
    "mobilenet-v2": _EncoderPlan(_MOBILENET_V2, mean=127.5, std=127.5, is_folded=True),
}


class Encoder(nn.Module):
    """Turn luma in [0, 1], N x 1 x H x W, into feature maps with `channels`, at `STRIDES`.

    H and W are multiples of 32.  Subclasses have a `stem` and `blocks`, in order of use.
    """

    channels: tuple[int, ...]

    @abstractmethod
    def load_weights(self, weights: str) -> None:
        """Load ImageNet weights: "auto", a name, or a file.

        Raises UsageError for weights of other encoders, DependencyError when a package is
        missing, ModelError when keys or shapes differ.
        """


class _ConvNorm(nn.Module):
    """Apply a convolution with TensorFlow's padding and a norm, without an activation."""

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
        # TensorFlow's SAME on even sizes pads more at the right and bottom for a stride of 2.
        spare = kernel - 2
        self.uneven = (spare // 2, spare - spare // 2) * 2 if stride == 2 else None
        padding = 0 if self.uneven else kernel // 2
        self.conv = nn.Conv2d(*channels, kernel, stride, padding, groups=groups, bias=folded)
        if folded:
            # Without norms, only this initialization keeps the range of the features.
            nn.init.kaiming_normal_(self.conv.weight)
            self.norm: nn.Module = nn.Identity()
        else:
            self.norm = nn.BatchNorm2d(channels[1], eps=1e-3, momentum=0.02)

    def forward(self, x: Tensor) -> Tensor:
        if self.uneven:
            x = functional.pad(x, self.uneven)
        result: Tensor = self.norm(self.conv(x))
        return result


class _Block(nn.Module):
    """Expand, filter each channel, project, and add the input if the shapes match."""

    def __init__(
        self, channels: tuple[int, int], expansion: int, kernel: int, stride: int, folded: bool
    ) -> None:
        super().__init__()
        into, out = channels
        wide = into * expansion
        self.expand = _ConvNorm((into, wide), 1, folded=folded) if expansion > 1 else None
        self.depthwise = _ConvNorm((wide, wide), kernel, stride=stride, groups=wide, folded=folded)
        self.project = _ConvNorm((wide, out), 1, folded=folded)
        self.residual = stride == 1 and into == out

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu6(self.expand(x)) if self.expand else x
        y = self.project(functional.relu6(self.depthwise(y)))
        result: Tensor = x + y if self.residual else y
        return result


class InvertedEncoder(Encoder):
    """Build an encoder of `PLANS`."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name, self.plan = name, PLANS[name]
        folded = self.plan.is_folded
        self.stem = _ConvNorm((1, 32), 3, stride=2, folded=folded)
        self.blocks = nn.ModuleList()
        self.taps: list[int] = []
        width = 32
        for index, (expansion, out, repeats, stride, kernel) in enumerate(self.plan.stages):
            for n in range(repeats):
                step = stride if n == 0 else 1
                self.blocks.append(_Block((width, out), expansion, kernel, step, folded))
                width = out
            if index in _TAPPED_STAGES:
                self.taps.append(len(self.blocks) - 1)
        self.channels = tuple(self.plan.stages[index][1] for index in _TAPPED_STAGES)

    def forward(self, luma: Tensor) -> list[Tensor]:
        normalized = (luma * 255.0 - self.plan.mean) / self.plan.std
        x = functional.relu6(self.stem(normalized))
        features = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.taps:
                features.append(x)
        return features

    def load_weights(self, weights: str) -> None:
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
            self.load_state_dict(convert_keys(state, self))
        except (LookupError, RuntimeError) as error:
            raise ModelError(f"{origin}: not the weights of {self.name} ({error})") from None
