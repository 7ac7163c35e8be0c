"""`archive-colorize train`: a network from color photographs."""

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archive_colorizer.errors import DependencyError, ExitCode, UsageError

if TYPE_CHECKING:
    from archive_colorizer.training.config import TrainingRecipe
    from archive_colorizer.training.tensorboard import Board

_GRACE = 300.0  # seconds; a step takes less than one, a validation up to minutes


@click.command(
    epilog="Example: archive-colorize train --data photos/ --output runs/mine --minutes 60"
)
@click.option(
    "--data",
    "places",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    help="A folder or tar of color photographs; may be given several times.",
)
@click.option(
    "--output",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for checkpoints and sample sheets.",
)
@click.option("--recipe", "recipe_file", type=click.Path(path_type=Path), help="Settings (TOML).")
@click.option("--resume", is_flag=True, help="Go on with the run in the output folder.")
@click.option("--network", help="Which network: mobile-unet, unet or vgg-autoencoder.")
@click.option(
    "--encoder-weights",
    help="mobile-unet's start: auto, none, efficientnet-lite0, -lite1 or -lite2, timm:NAME, "
    "or a .pth or .npz file.",
)
@click.option("--minutes", type=float, help="Length of the run by the clock.")
@click.option("--crops", type=int, help="Length of the run in crops, without --minutes.")
@click.option("--seed", type=int, help="Seed of weights, drawing and aging.")
@click.option(
    "--init",
    type=click.Path(path_type=Path),
    help="Start from the weights of this checkpoint or model (a file, or a name).",
)
@click.option(
    "--memory",
    "memory_gb",
    metavar="GB",
    type=float,
    help="Photographs that take more stay on disk.  [default: 4]",
)
@click.option("--readers", type=int, help="Processes that read; 0: a thread.  [default: 0]")
@click.option(
    "--precision", metavar="auto|float32|bfloat16|float16", help="Of the network.  [default: auto]"
)
@click.option("--tensorboard", is_flag=True, help="Keep a log for TensorBoard, too.")
def command(
    places: tuple[Path, ...],
    folder: Path,
    recipe_file: Path | None,
    resume: bool,
    init: Path | None,
    tensorboard: bool,
    **given: Any,
) -> int:
    """Train a network on pairs of luma and color made from color photographs.

    Interrupted, it leaves a checkpoint; --resume goes on from it.
    """
    require_torch()
    # Late, so that --help answers at once.
    from archive_colorizer.training.checkpoint import NAME
    from archive_colorizer.training.tensorboard import Board

    checkpoint = folder / NAME
    if resume and init:
        raise UsageError("--resume and --init exclude each other; give one of them")
    if resume and not checkpoint.exists():
        raise UsageError(f"--resume: {checkpoint} does not exist; start without --resume")
    if checkpoint.exists() and not resume:
        raise UsageError(f"{folder} holds a run; give --resume to go on, or another --output")
    recipe = _settings(recipe_file, checkpoint if resume else None)
    recipe = recipe.changed({k: v for k, v in given.items() if v is not None}, "options")
    board = Board(folder / "tensorboard") if tensorboard else None
    return _train(places, recipe, folder, checkpoint if resume else init, board)


def _train(
    places: tuple[Path, ...],
    recipe: "TrainingRecipe",
    folder: Path,
    start: Path | None,
    board: "Board | None",
) -> int:
    from archive_colorizer.run.signals import stop_on_signals
    from archive_colorizer.training.data.crops import index_photos, read_photos
    from archive_colorizer.training.loop import train

    # Reader processes read for themselves; what this one held would be of no use to them.
    find = index_photos if recipe.readers else read_photos
    photos = find(places, recipe.memory_gb)
    held, total = photos.held_bytes / 1e6, photos.total_bytes / 1e6
    click.echo(f"{total:.0f} MB of photographs, {held:.0f} MB of them in memory")
    with stop_on_signals(_GRACE) as stop:
        if "WORLD_SIZE" in os.environ:
            # torchrun repeats each signal at once, before the step under way has ended.
            stop.shield()
        made = train(
            photos,
            recipe,
            folder,
            start=start,
            report=click.echo,
            board=board,
            stopped=lambda: stop.asked,
        )
        if stop.signal is not None:
            click.echo(f"interrupted; --resume goes on from {made}", err=True)
            return 128 + stop.signal
    click.echo(f"now: archive-colorize export {made} --output MODEL.onnx")
    return ExitCode.OK


def require_torch() -> None:
    """Raise DependencyError, with what to install, where PyTorch is missing."""
    if importlib.util.find_spec("torch") is None:
        raise DependencyError(
            "PyTorch is not installed; run: pip install 'archive-colorizer[train]'"
        )


def _settings(recipe_file: Path | None, checkpoint: Path | None) -> "TrainingRecipe":
    """The recipe file's settings; those of the run itself when it is to go on."""
    from archive_colorizer.training.checkpoint import load_checkpoint
    from archive_colorizer.training.config import TrainingRecipe, load_training_recipe

    if recipe_file:
        return load_training_recipe(recipe_file)
    if checkpoint:
        return TrainingRecipe().changed(load_checkpoint(checkpoint)["recipe"], str(checkpoint))
    return TrainingRecipe()
