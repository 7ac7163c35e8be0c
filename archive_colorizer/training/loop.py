"""The training loop: draw, predict, correct, average; measure and save now and then."""

import copy
import math
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import nn

from archive_colorizer.errors import OutputError, UsageError
from archive_colorizer.training.checkpoint import (
    NAME,
    current_commit,
    load_checkpoint,
    restore_network,
)
from archive_colorizer.training.data import Batch, Crops, Photo, split_photos
from archive_colorizer.training.ledger import Ledger, Report, Run, describe
from archive_colorizer.training.measure import Validation, choose_validation
from archive_colorizer.training.network import (
    build_network,
    choose_encoder,
    load_encoder_weights,
    space_of,
)
from archive_colorizer.training.objective import OBJECTIVES
from archive_colorizer.training.peers import Peers, join_peers
from archive_colorizer.training.recipe import TrainingRecipe

_AHEAD = 3


def train(
    photos: list[Photo],
    recipe: TrainingRecipe,
    folder: Path,
    *,
    start: Path | None = None,
    report: Report = lambda line: None,
) -> Path:
    """Train a network and return its last checkpoint, `folder`/checkpoint.pt.

    Under torchrun, together with the other processes; see `peers`.

    Goes on exactly where `start` stopped when that is the checkpoint in `folder` itself;
    takes only the weights of any other one.  Raises UsageError when nothing is left to
    train on, ModelError when the loss is no number any more, OutputError when `folder`
    cannot be written.
    """
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    # The crops are small: OpenCV's own threads would only get in the way of the network's.
    cv2.setNumThreads(1)
    kwargs = choose_encoder(recipe.network, recipe.network_kwargs, recipe.encoder_weights)
    recipe = replace(recipe, network_kwargs=kwargs)
    peers = join_peers()
    training, kept_aside = split_photos(photos, recipe.validation_share)
    if not training:
        raise UsageError("all photos fell into the validation split; give more or a smaller share")
    _make_folder(folder)
    run = _begin(recipe, folder, start)
    peers.align([*run.network.parameters(), *run.network.buffers()])
    crops = Crops(training, recipe)
    ledger = _open_ledger(recipe, folder, training, kept_aside, report) if peers.leads else None
    _loop(run, recipe, crops, ledger, peers)
    return folder / NAME


def _open_ledger(
    recipe: TrainingRecipe,
    folder: Path,
    training: list[Photo],
    kept_aside: list[Photo],
    report: Report,
) -> Ledger:
    chosen = choose_validation(kept_aside, recipe.validation_photos, recipe.seed)
    validation = Validation(chosen, recipe.phases[-1].size) if chosen else None
    facts = {
        "sources": dict(Counter(photo.source for photo in training)),
        "photos": len(training),
        "commit": current_commit(),
    }
    report(f"{len(training)} photos, {len(chosen)} for validation")
    if validation:
        report(f"truth {describe(validation.truth)}")
        report(f"grey  {describe(validation.grey)}")
    return Ledger(folder, recipe, validation, facts, report)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({error.strerror})") from None


def _begin(recipe: TrainingRecipe, folder: Path, start: Path | None) -> Run:
    torch.manual_seed(recipe.seed)
    content = load_checkpoint(start) if start else None
    if content is None:
        network = build_network(recipe.network, dict(recipe.network_kwargs))
        load_encoder_weights(network, recipe.encoder_weights)
    else:
        network = _take_network(content, recipe, str(start))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if recipe.encoder_weights == "none":
        network.train()
    else:
        _freeze(network, recipe)
    averaged = copy.deepcopy(network).eval()
    run = Run(network, averaged, _optimizer(network, recipe), device)
    if content is not None and start is not None and _same_run(start, folder):
        network.load_state_dict(content["weights"])
        run.optimizer.load_state_dict(content["optimizer"])
        run.crops, run.steps = content["crops"], content["steps"]
        run.seconds, run.history = content["seconds"], content["history"]
    return run


def _same_run(start: Path, folder: Path) -> bool:
    return start.resolve() in (folder.resolve(), (folder / NAME).resolve())


def _take_network(content: dict[str, Any], recipe: TrainingRecipe, origin: str) -> nn.Module:
    wanted = (recipe.network, dict(recipe.network_kwargs))
    if (content["network"], content["kwargs"]) != wanted:
        raise UsageError(
            f"{origin}: holds a {content['network']} with {content['kwargs']}, the recipe asks for "
            f"a {wanted[0]} with {wanted[1]}; make the recipe's network the same"
        )
    return restore_network(content, origin)


def _freeze(network: nn.Module, recipe: TrainingRecipe) -> None:
    """Set a network to training; what its encoder knows of any picture stays as it is.

    The first blocks' filters suit any picture, and their large feature maps are what
    training spends most of its time on.
    """
    network.train()
    encoder = getattr(network, "encoder", None)
    if encoder is None:
        return
    if recipe.frozen_blocks:
        for part in (encoder.stem, *encoder.blocks[: recipe.frozen_blocks]):
            part.eval().requires_grad_(False)
    if recipe.frozen_filters:
        for layer in encoder.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()
            elif isinstance(layer, nn.Conv2d) and layer.groups > 1:
                layer.requires_grad_(False)


def _optimizer(network: nn.Module, recipe: TrainingRecipe) -> torch.optim.Optimizer:
    """AdamW; the encoder learns slower, and norms and biases do not decay."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, weight in network.named_parameters():
        if weight.requires_grad:
            factor = recipe.encoder_factor if name.startswith("encoder.") else 1.0
            decay = recipe.weight_decay if weight.ndim > 1 else 0.0
            groups.setdefault((factor, decay), []).append(weight)
    return torch.optim.AdamW(
        [
            {"params": weights, "factor": factor, "weight_decay": decay}
            for (factor, decay), weights in groups.items()
        ],
        lr=recipe.rate,
        fused=True,
    )


def rate_at(progress: float, recipe: TrainingRecipe) -> float:
    """The decoder's learning rate: up in a line, then down along a cosine to 0."""
    if progress < recipe.warmup:
        return recipe.rate * progress / recipe.warmup
    rest = (progress - recipe.warmup) / max(1e-9, 1.0 - recipe.warmup)
    return recipe.rate * 0.5 * (1.0 + math.cos(math.pi * rest))


def _batches(run: Run, recipe: TrainingRecipe, crops: Crops, peers: Peers) -> Iterator[Batch]:
    """Batches in order, made a few ahead by one thread while the network is at work."""
    position = run.crops
    waiting: list[Future[Batch]] = []
    with ThreadPoolExecutor(1) as pool:
        while True:
            while len(waiting) < _AHEAD:
                ahead = position / recipe.crops if not recipe.minutes else run.progress(recipe)
                phase = recipe.phase_at(ahead)
                first = position + peers.rank * phase.batch
                waiting.append(pool.submit(crops.batch, first, phase.batch, phase.size))
                position += phase.batch * peers.count
            batch = waiting.pop(0).result()
            if run.progress(recipe) >= 1.0:
                break
            yield batch
    for future in waiting:
        future.cancel()


def _loop(
    run: Run, recipe: TrainingRecipe, crops: Crops, ledger: Ledger | None, peers: Peers
) -> None:
    began = time.monotonic() - run.seconds
    for batch in _batches(run, recipe, crops, peers):
        rate = rate_at(run.progress(recipe), recipe)
        for group in run.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        loss = _step(run, batch, recipe, peers)
        seen = len(batch.luma) * peers.count
        run.steps += 1
        run.crops += seen
        run.seconds = peers.agree(time.monotonic() - began)
        if ledger:
            ledger.note(run, loss, seen)
    if ledger:
        ledger.close(run)


def _step(run: Run, batch: Batch, recipe: TrainingRecipe, peers: Peers) -> torch.Tensor:
    seen, luma, chroma = (torch.from_numpy(planes).to(run.device) for planes in batch)
    run.optimizer.zero_grad(set_to_none=True)
    space, answer = space_of(recipe.network), run.network(seen)
    loss = OBJECTIVES[recipe.objective](space.to_chroma(answer), luma, chroma, recipe)
    loss = loss + space.own_loss(answer, luma, chroma)
    loss.backward()  # type: ignore[no-untyped-call]
    weights = list(run.network.parameters())
    peers.average(weights)
    nn.utils.clip_grad_norm_(weights, 1.0)
    run.optimizer.step()
    _average(run, recipe.ema)
    return loss.detach()


@torch.no_grad()
def _average(run: Run, decay: float) -> None:
    """Exponential averages of the weights and of batch norm's statistics."""
    decay = min(decay, (1.0 + run.steps) / (10.0 + run.steps))
    mine, theirs = run.averaged.state_dict(), run.network.state_dict()
    floats = [key for key, value in mine.items() if value.is_floating_point()]
    torch._foreach_lerp_([mine[k] for k in floats], [theirs[k] for k in floats], 1.0 - decay)
