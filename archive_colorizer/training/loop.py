"""The training loop: draw, predict, correct, average; measure and save now and then."""

import copy
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
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
from archive_colorizer.training.config import TrainingRecipe
from archive_colorizer.training.data.crops import Batch, Crops, Photo, split_photos
from archive_colorizer.training.data.loader import Stream
from archive_colorizer.training.distributed import Peers, join_peers
from archive_colorizer.training.export.initial_weights import load_initial, settle_norms
from archive_colorizer.training.networks.network import (
    build_network,
    choose_encoder,
    load_encoder_weights,
)
from archive_colorizer.training.optimizer import freeze, make_optimizer, rate_at
from archive_colorizer.training.progress import Ledger, Report
from archive_colorizer.training.state import Run
from archive_colorizer.training.step import choose_dtype, take_step
from archive_colorizer.training.tensorboard import Board
from archive_colorizer.training.validation import Validation, choose_validation

_SETTLING = 48  # crops that show the norms of a model file what features look like


def train(
    photos: Sequence[Photo],
    recipe: TrainingRecipe,
    folder: Path,
    *,
    start: Path | None = None,
    report: Report = lambda line: None,
    board: Board | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Path:
    """Train a network and return its last checkpoint, `folder`/checkpoint.pt.

    Under torchrun, together with the other processes; see `peers`.

    Goes on exactly where `start` stopped when that is the checkpoint in `folder` itself;
    takes only the weights of any other checkpoint or model file.  `stopped` is asked before
    every step whether to save and to return early; under torchrun, the first process's
    answer counts for all.  Raises UsageError when nothing is left to train on, ModelError
    when the loss is no number any more, OutputError when `folder` cannot be written,
    SourceError when photos cannot be read.
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
    crops = Crops(training, recipe)
    run = _begin(recipe, folder, start, crops)
    peers.align([*run.network.parameters(), *run.network.buffers()])
    ledger = None
    if peers.leads:
        chosen = choose_validation(kept_aside, recipe.validation_photos, recipe.seed)
        validation = Validation(chosen, recipe.working_size) if chosen else None
        ledger = Ledger(folder, recipe, validation, _facts(training), report, board)
        report(f"{run.crops} crops seen before")
    _loop(run, recipe, crops, ledger, peers, stopped)
    return folder / NAME


def _facts(training: Sequence[Photo]) -> dict[str, Any]:
    return {
        "sources": dict(Counter(photo.source for photo in training)),
        "photos": len(training),
        "commit": current_commit(),
    }


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({error.strerror})") from None


def _begin(recipe: TrainingRecipe, folder: Path, start: Path | None, crops: Crops) -> Run:
    torch.manual_seed(recipe.seed)
    if start is None:
        network = build_network(recipe.network, dict(recipe.network_kwargs))
        load_encoder_weights(network, recipe.encoder_weights)
        return _place(network, recipe)
    if _same_run(start, folder):
        content = load_checkpoint(start)
        run = _place(_take_network(content, recipe, str(start)), recipe)
        run.go_on(content)
        return run
    content = load_initial(start)
    network = _take_network(content, recipe, str(start))
    if content["folded"]:
        seen = crops.batch(0, _SETTLING, recipe.phases[0].size).seen
        settle_norms(network, torch.from_numpy(seen))
    return _place(network, recipe)


def _place(network: nn.Module, recipe: TrainingRecipe) -> Run:
    """A run of a network at its beginning, on the device that there is."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if recipe.encoder_weights == "none":
        network.train()
    else:
        freeze(network, recipe)
    dtype = choose_dtype(recipe.precision, device)
    return Run(
        network=network,
        averaged=copy.deepcopy(network).eval(),
        optimizer=make_optimizer(network, recipe),
        scaler=torch.amp.GradScaler(device.type, enabled=dtype == torch.float16),
        forward=torch.compile(network) if recipe.compile else network,
        device=device,
        dtype=dtype,
    )


def _same_run(start: Path, folder: Path) -> bool:
    own = folder.resolve() / NAME
    return own.is_file() and start.resolve() in (own.parent, own)


def _take_network(content: dict[str, Any], recipe: TrainingRecipe, origin: str) -> nn.Module:
    wanted = (recipe.network, dict(recipe.network_kwargs))
    if (content["network"], content["kwargs"]) != wanted:
        raise UsageError(
            f"{origin}: holds a {content['network']} with {content['kwargs']}, the recipe asks for "
            f"a {wanted[0]} with {wanted[1]}; make the recipe's network the same"
        )
    return restore_network(content, origin)


def _batches(run: Run, recipe: TrainingRecipe, stream: Stream, peers: Peers) -> Iterator[Batch]:
    """Batches in order, asked for a few ahead, until the run is done."""
    position = run.crops
    while run.progress(recipe) < 1.0:
        while not stream.full:
            ahead = position / recipe.crops if not recipe.minutes else run.progress(recipe)
            phase = recipe.phase_at(ahead)
            stream.ask(position + peers.rank * phase.batch, phase.batch, phase.size)
            position += phase.batch * peers.count
        yield stream.take()


def _loop(
    run: Run,
    recipe: TrainingRecipe,
    crops: Crops,
    ledger: Ledger | None,
    peers: Peers,
    stopped: Callable[[], bool],
) -> None:
    began = time.monotonic() - run.seconds
    with Stream(crops, recipe.readers) as stream:
        for batch in _batches(run, recipe, stream, peers):
            ends = stopped() or (ledger is not None and ledger.gives_up(run))
            if peers.agree(float(ends)):
                break
            rate = rate_at(run.progress(recipe), recipe)
            for group in run.optimizer.param_groups:
                group["lr"] = rate * group["factor"]
            loss = take_step(run, batch, recipe, peers)
            seen = len(batch.luma) * peers.count
            run.steps += 1
            run.crops += seen
            run.seconds = peers.agree(time.monotonic() - began)
            if ledger:
                ledger.note(run, loss, seen)
    if ledger and stopped():
        ledger.save(run)
    elif ledger:
        ledger.close(run)
