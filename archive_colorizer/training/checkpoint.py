"""Checkpoints: plain values and tensors in one file, written whole or not at all."""

import os
import pickle
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from archive_colorizer.errors import ModelError, OutputError
from archive_colorizer.training.networks.network import build_network

NAME = "checkpoint.pt"


def save_checkpoint(content: dict[str, Any], path: Path) -> None:
    """Write a checkpoint through a temporary file beside it.  Raises OutputError."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with draft.open("wb") as stream:
            torch.save(content, stream)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise OutputError(f"{path}: the checkpoint cannot be written ({error})") from None


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint; holds at least network, kwargs and state.

    `path` may be a run's folder.  Raises ModelError when it is missing, damaged or no
    checkpoint; nothing in the file is ever run.
    """
    if path.is_dir():
        path = path / NAME
    if not zipfile.is_zipfile(path):
        found = "is no checkpoint" if path.is_file() else "does not exist"
        raise ModelError(f"{path}: {found}; give the checkpoint.pt of a training run")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"{path}: cannot be read as a checkpoint ({reason})") from None
    if not isinstance(content, dict) or not {"network", "kwargs", "state"} <= content.keys():
        raise ModelError(f"{path}: not a checkpoint of this program; give one that train wrote")
    return content


def restore_network(checkpoint: dict[str, Any], origin: str) -> nn.Module:
    """The network of a checkpoint with its averaged weights, ready to predict."""
    network = build_network(checkpoint["network"], checkpoint["kwargs"])
    try:
        network.load_state_dict(checkpoint["state"])
    except RuntimeError as error:
        raise ModelError(f"{origin}: its weights do not fit its network ({error})") from None
    return network.eval()


def current_commit() -> str:
    """The commit of the checkout that this code lies in, or "unknown" outside of one."""
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "rev-parse", "HEAD"]
    try:
        made = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return made.stdout.strip()
