"""Read and atomically write checkpoints: plain values and tensors in one file."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from archive_colorizer.errors import ModelError
from archive_colorizer.storage.atomic import open_atomically
from archive_colorizer.training.networks.network import build_network

CHECKPOINT_NAME = "checkpoint.pt"


def save_checkpoint(content: dict[str, Any], path: Path) -> None:
    """Write a checkpoint through a temporary file next to it.  Raises OutputError."""
    with open_atomically(path) as stream:
        torch.save(content, stream)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint, or that of a run's folder; it has at least network, kwargs and state.

    Raises ModelError when it is missing, damaged or not a checkpoint.  No code in the file is
    ever executed.
    """
    if path.is_dir():
        path = path / CHECKPOINT_NAME
    if not zipfile.is_zipfile(path):
        problem = "is no checkpoint" if path.is_file() else "does not exist"
        raise ModelError(f"{path}: {problem}; give the checkpoint.pt of a training run")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"{path}: cannot be read as a checkpoint ({reason})") from None
    if not isinstance(content, dict) or not {"network", "kwargs", "state"} <= content.keys():
        raise ModelError(f"{path}: not a checkpoint of this program; give one that train wrote")
    return content


def restore_network(checkpoint: dict[str, Any], origin: str) -> nn.Module:
    """Rebuild the network of a checkpoint with its averaged weights, in evaluation mode."""
    network = build_network(checkpoint["network"], checkpoint["kwargs"])
    try:
        network.load_state_dict(checkpoint["state"])
    except RuntimeError as error:
        raise ModelError(f"{origin}: its weights do not fit its network ({error})") from None
    return network.eval()
