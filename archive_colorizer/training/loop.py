"""The training loop."""

import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor, nn

from archive_colorizer.errors import OutputError, UsageError
from archive_colorizer.training.checkpoint import CHECKPOINT_NAME, load_checkpoint, restore_network
from archive_colorizer.training.config import TrainingRecipe
from archive_colorizer.training.data.crops import Batch, CropSampler, TrainingPhoto, split_photos
from archive_colorizer.training.data.loader import BatchLoader
from archive_colorizer.training.distributed import Distributed
from archive_colorizer.training.export.initial_weights import load_initial_weights, settle_norms
from archive_colorizer.training.networks.network import (
    build_network,
    choose_encoder,
    get_output_format,
    load_encoder_weights,
)
from archive_colorizer.training.objective import (
    OBJECTIVES,
    compute_consistency_loss,
    compute_doubt_loss,
)
from archive_colorizer.training.progress import Report, TensorBoardLog, TrainingLog
from archive_colorizer.training.state import TrainingState
from archive_colorizer.training.validation import ValidationSet, choose_validation_photos

_DOUBT_WEIGHT = 0.3
_NEW_HEADS = "confidence."  # weights that a model without this head may lack
_NORM_CROPS = 48  # crops that initialize the norms of a model file


def train(
    photos: Sequence[TrainingPhoto],
    recipe: TrainingRecipe,
    folder: Path,
    *,
    start: Path | None = None,
    report: Report = lambda line: None,
    board: TensorBoardLog | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Path:
    """Train a network and return its last checkpoint, `folder`/checkpoint.pt.

    Under torchrun, all processes train one network; see `distributed`.

    If `start` is the checkpoint in `folder`, the run resumes exactly there; of any other
    checkpoint or model file, only the weights are used.  `should_stop` is called before every
    step; if it is true, the run is saved and ends early (under torchrun, the main process
    decides).  Raises UsageError when no photos are left for training, ModelError when the loss
    is not finite, OutputError when `folder` cannot be written, SourceError when photos cannot
    be read.
    """
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    # The crops are small: threads of OpenCV would only slow down those of the network.
    cv2.setNumThreads(1)
    kwargs = choose_encoder(recipe.network, recipe.network_kwargs, recipe.encoder_weights)
    recipe = replace(recipe, network_kwargs=kwargs)
    distributed = Distributed.join()
    training, validation_photos = split_photos(photos, recipe.validation_share)
    if not training:
        raise UsageError("all photos fell into the validation split; give more or a smaller share")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({error.strerror})") from None
    crops = CropSampler(training, recipe)
    state = _start_run(recipe, folder, start, crops)
    state.forward = distributed.wrap(state.forward)
    log = None
    if distributed.is_main:
        chosen = choose_validation_photos(validation_photos, recipe.validation_photos, recipe.seed)
        validation = ValidationSet(chosen, recipe.working_size) if chosen else None
        log = TrainingLog(folder, recipe, validation, _collect_facts(training), report, board)
        report(f"{state.crops} crops seen before")
        if start is not None and not state.crops:
            log.measure(state)
    _run_steps(state, recipe, crops, log, distributed, should_stop)
    return folder / CHECKPOINT_NAME


def _collect_facts(training: Sequence[TrainingPhoto]) -> dict[str, Any]:
    return {
        "sources": dict(Counter(photo.source for photo in training)),
        "photos": len(training),
        "commit": _get_current_commit(),
    }


def _start_run(
    recipe: TrainingRecipe, folder: Path, start: Path | None, crops: CropSampler
) -> TrainingState:
    torch.manual_seed(recipe.seed)
    if start is None:
        network = build_network(recipe.network, dict(recipe.network_kwargs))
        load_encoder_weights(network, recipe.encoder_weights)
        return TrainingState.prepare(network, recipe)
    checkpoint = folder.resolve() / CHECKPOINT_NAME
    if checkpoint.is_file() and start.resolve() in (checkpoint.parent, checkpoint):
        content = load_checkpoint(start)
        state = TrainingState.prepare(_restore_network(content, recipe, str(start)), recipe)
        state.restore(content)
        return state
    content = load_initial_weights(start)
    network = _restore_network(content, recipe, str(start))
    if content["folded"]:
        luma = crops.make_batch(0, _NORM_CROPS, recipe.phases[0].size).aged
        settle_norms(network, torch.from_numpy(luma))
    return TrainingState.prepare(network, recipe)


def _restore_network(content: dict[str, Any], recipe: TrainingRecipe, origin: str) -> nn.Module:
    expected = (recipe.network, dict(recipe.network_kwargs))
    if expected[1].get("confidence") and not content["kwargs"].get("confidence"):
        content = _add_confidence_head(content)
    if (content["network"], content["kwargs"]) != expected:
        raise UsageError(
            f"{origin}: holds a {content['network']} with {content['kwargs']}, the recipe asks for "
            f"a {expected[0]} with {expected[1]}; make the recipe's network the same"
        )
    return restore_network(content, origin)


def _add_confidence_head(content: dict[str, Any]) -> dict[str, Any]:
    """Add the untrained weights of the head, which change no color, to a network without it."""
    kwargs = {**content["kwargs"], "confidence": True}
    fresh = build_network(content["network"], kwargs).state_dict()
    head = {name: weights for name, weights in fresh.items() if name.startswith(_NEW_HEADS)}
    return {**content, "kwargs": kwargs, "state": {**content["state"], **head}}


def _iterate_batches(
    state: TrainingState, recipe: TrainingRecipe, loader: BatchLoader, distributed: Distributed
) -> Iterator[Batch]:
    """Yield batches in order, requested a few ahead, until the run is done."""
    position = state.crops
    while state.compute_progress(recipe) < 1.0:
        while not loader.is_full:
            progress = state.compute_progress(recipe) if recipe.minutes else position / recipe.crops
            phase = recipe.get_phase(progress)
            loader.request(position + distributed.rank * phase.batch, phase.batch, phase.size)
            position += phase.batch * distributed.count
        yield loader.get()


def _run_steps(
    state: TrainingState,
    recipe: TrainingRecipe,
    crops: CropSampler,
    log: TrainingLog | None,
    distributed: Distributed,
    should_stop: Callable[[], bool],
) -> None:
    start_time = time.monotonic() - state.seconds
    with BatchLoader(crops, recipe.readers) as loader:
        for batch in _iterate_batches(state, recipe, loader, distributed):
            ends = should_stop() or (log is not None and log.should_stop_early(state))
            if distributed.broadcast(float(ends)):
                break
            rate = recipe.compute_rate(state.compute_progress(recipe))
            for group in state.optimizer.param_groups:
                group["lr"] = rate * group["factor"]
            loss = _run_step(state, batch, recipe)
            count = len(batch.luma) * distributed.count
            state.steps += 1
            state.crops += count
            state.seconds = distributed.broadcast(time.monotonic() - start_time)
            if log:
                log.record_step(state, loss, count)
    if log and should_stop():
        log.save(state)
    elif log:
        log.close(state)


def _run_step(state: TrainingState, batch: Batch, recipe: TrainingRecipe) -> Tensor:
    """Train the network on one batch and return the loss, still on its device.

    Weights, losses and averages are float32 in any precision.
    """
    aged, luma, chroma, transforms = (
        _to_device(torch.from_numpy(planes), state.device) for planes in batch
    )
    state.optimizer.zero_grad(set_to_none=True)
    with torch.autocast(state.device.type, state.dtype, enabled=state.dtype != torch.float32):
        output = state.forward(aged)
    output_format, output = get_output_format(recipe.network), output.float()
    predicted = output_format.to_chroma(output)
    loss = OBJECTIVES[recipe.objective](predicted, luma, chroma, recipe)
    loss = loss + output_format.extra_loss(output, luma, chroma)
    if recipe.network_kwargs.get("confidence"):
        loss = loss + _DOUBT_WEIGHT * compute_doubt_loss(output[:, 2:], predicted, luma, chroma)
    if len(transforms):
        consistency = compute_consistency_loss(predicted, luma, transforms)
        loss = loss + recipe.consistency_weight * consistency
    state.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
    state.scaler.unscale_(state.optimizer)
    nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
    state.scaler.step(state.optimizer)
    state.scaler.update()
    _update_average(state, recipe.ema)
    return loss.detach()


def _to_device(planes: Tensor, device: torch.device) -> Tensor:
    """Copy to the device; from pinned memory, the copy overlaps with work of the CPU."""
    if device.type != "cuda":
        return planes.to(device)
    return planes.pin_memory().to(device, non_blocking=True)


@torch.no_grad()
def _update_average(state: TrainingState, decay: float) -> None:
    decay = min(decay, (1.0 + state.steps) / (10.0 + state.steps))
    averaged, current = state.averaged.state_dict(), state.network.state_dict()
    floats = [key for key, value in averaged.items() if value.is_floating_point()]
    torch._foreach_lerp_([averaged[k] for k in floats], [current[k] for k in floats], 1.0 - decay)


def _get_current_commit() -> str:
    """Return the commit of the checkout of this code, or "unknown" outside of one."""
    folder = Path(__file__).parent
    command = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return result.stdout.strip()
