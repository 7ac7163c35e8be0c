"""One step of training: predict, correct, average; in the precision that was asked for."""

import torch
from torch import Tensor, nn

from archive_colorizer.training.config import TrainingRecipe
from archive_colorizer.training.data.crops import Batch
from archive_colorizer.training.distributed import Peers
from archive_colorizer.training.networks.network import space_of
from archive_colorizer.training.objective import OBJECTIVES
from archive_colorizer.training.state import Run

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_dtype(precision: str, device: torch.device) -> torch.dtype:
    """What the network computes in; "auto" is half precision on CUDA and float32 elsewhere.

    bfloat16 where the device has it: with the range of float32, no gradient vanishes.
    """
    if precision != "auto":
        return _DTYPES[precision]
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def take_step(run: Run, batch: Batch, recipe: TrainingRecipe, peers: Peers) -> Tensor:
    """Correct the network by one batch; returns the loss, still on its device.

    Weights, losses and averages are float32 in any precision.
    """
    seen, luma, chroma = (_to_device(torch.from_numpy(planes), run.device) for planes in batch)
    run.optimizer.zero_grad(set_to_none=True)
    with torch.autocast(run.device.type, run.dtype, enabled=run.dtype != torch.float32):
        answer = run.forward(seen)
    space, answer = space_of(recipe.network), answer.float()
    loss = OBJECTIVES[recipe.objective](space.to_chroma(answer), luma, chroma, recipe)
    loss = loss + space.own_loss(answer, luma, chroma)
    run.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
    weights = list(run.network.parameters())
    # Averaged before they are unscaled, so that all processes skip the same steps.
    peers.average(weights)
    run.scaler.unscale_(run.optimizer)
    nn.utils.clip_grad_norm_(weights, 1.0)
    run.scaler.step(run.optimizer)
    run.scaler.update()
    _average(run, recipe.ema)
    return loss.detach()


def _to_device(planes: Tensor, device: torch.device) -> Tensor:
    """From pinned memory, the copy to a GPU goes on while the CPU prepares the rest."""
    if device.type != "cuda":
        return planes.to(device)
    return planes.pin_memory().to(device, non_blocking=True)


@torch.no_grad()
def _average(run: Run, decay: float) -> None:
    """Exponential averages of the weights and of batch norm's statistics."""
    decay = min(decay, (1.0 + run.steps) / (10.0 + run.steps))
    mine, theirs = run.averaged.state_dict(), run.network.state_dict()
    floats = [key for key, value in mine.items() if value.is_floating_point()]
    torch._foreach_lerp_([mine[k] for k in floats], [theirs[k] for k in floats], 1.0 - decay)
