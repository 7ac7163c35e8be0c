"""Encoders of timm (PyTorch Image Models) that have feature maps at strides 2 to 32.

Their weights come from timm's hub.  timm needs a torchvision that fits the installed torch.
"""

from typing import Any

from torch import Tensor, nn

from archive_colorizer.errors import DependencyError, ModelError, UsageError
from archive_colorizer.training.networks.encoder import STRIDES, Encoder


class TimmEncoder(Encoder):
    """Wrap timm's model `name` as an encoder, at first with random weights."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.net = _create(name, pretrained=False)
        info = self.net.feature_info
        self.channels = tuple(info.channels())
        if tuple(info.reduction()) != STRIDES:
            raise UsageError(
                f"encoder timm:{name} has feature maps at strides {tuple(info.reduction())}, "
                f"the network needs {STRIDES}; choose another one"
            )
        config = self.net.default_cfg
        # One channel is normalized by the mean of the three.
        self.mean = sum(config["mean"]) / len(config["mean"])
        self.std = sum(config["std"]) / len(config["std"])

    @property
    def stem(self) -> nn.Module:
        stem: nn.Module = next(self.net.children())
        return stem

    @property
    def blocks(self) -> list[nn.Module]:
        """The parts after the stem, with the members of lists one by one."""
        rest = list(self.net.children())[1:]
        lists = (nn.Sequential, nn.ModuleList)
        return [block for part in rest for block in (part if isinstance(part, lists) else (part,))]

    def forward(self, luma: Tensor) -> list[Tensor]:
        features: list[Tensor] = self.net((luma - self.mean) / self.std)
        return features

    def load_weights(self, weights: str) -> None:
        if weights not in ("auto", f"timm:{self.name}"):
            raise UsageError(
                f"--encoder-weights {weights}: encoder timm:{self.name} takes its own weights; "
                "give auto or none"
            )
        self.net.load_state_dict(_create(self.name, pretrained=True).state_dict())


def _create(name: str, *, pretrained: bool) -> Any:
    """Create a timm model; it sums the first layer's weights over three channels."""
    try:
        import timm  # type: ignore[import-not-found, unused-ignore]
    except (ImportError, RuntimeError) as error:
        raise DependencyError(
            f"timm cannot be loaded ({error}); run: pip install timm, with a torchvision from "
            "where torch came from"
        ) from None
    try:
        return timm.create_model(name, features_only=True, in_chans=1, pretrained=pretrained)
    except (RuntimeError, AttributeError) as error:
        raise UsageError(f"encoder timm:{name}: cannot be made ({error})") from None
    except OSError as error:
        raise ModelError(
            f"encoder timm:{name}: its weights cannot be fetched ({error}); "
            "give --encoder-weights none, or go where there is a network"
        ) from None
