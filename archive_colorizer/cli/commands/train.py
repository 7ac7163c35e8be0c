"""`archive-colorize train`: train a network on color photographs."""

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archive_colorizer.cli.options import LOCAL_PATH, collect_chosen, make_option
from archive_colorizer.errors import DependencyError, ExitCode, UsageError

if TYPE_CHECKING:
    from archive_colorizer.training.config import TrainingRecipe
    from archive_colorizer.training.progress import TensorBoardLog

_DEFAULT, _NONE = Path("default"), Path("none")
_GRACE = 300.0  # seconds; a step takes less than one, a validation up to minutes


@click.command(
    epilog="Example: archive-colorize train --data photos/ --output runs/mine --minutes 60"
)
@make_option(
    "--data places",
    "Read color photographs from a folder or tar; repeat for more.",
    multiple=True,
    required=True,
    type=LOCAL_PATH,
)
@make_option(
    "--output folder",
    "Write checkpoints and sample sheets to this folder.",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
)
@make_option("--recipe recipe_file", "Read settings from a TOML file.", type=LOCAL_PATH)
@make_option("--resume", "Resume the run in the output folder.", is_flag=True)
@make_option("--network", "Train this network: mobile-unet, unet or vgg-autoencoder.")
@make_option(
    "--encoder-weights",
    "Start mobile-unet from auto, none, efficientnet-lite0, -lite1 or -lite2, timm:NAME, "
    "or a .pth or .npz file.",
)
@make_option("--minutes", "Train for so many minutes.", type=float)
@make_option("--crops", "Train on so many crops, without --minutes.", type=int)
@make_option("--seed", "Seed weights, drawing and aging.", type=int)
@make_option(
    "--init",
    "Start from this checkpoint or model (a file, or a name), or from none.",
    "default, if the network is its",
    type=LOCAL_PATH,
)
@make_option(
    "--memory memory_gb", "Keep photographs in memory up to this.", 4, metavar="GB", type=float
)
@make_option("--readers", "Read in so many processes; 0: in a thread.", 0, type=int)
@make_option(
    "--precision", "Compute in this type.", "auto", metavar="auto|float32|bfloat16|float16"
)
@make_option("--tensorboard", "Also write a log for TensorBoard.", is_flag=True)
def command(
    places: tuple[Path, ...],
    folder: Path,
    recipe_file: Path | None,
    resume: bool,
    init: Path | None,
    tensorboard: bool,
    **settings: Any,
) -> int:
    """Train a network on pairs of luma and color made from color photographs.

    An interrupted run leaves a checkpoint, from which --resume continues.
    """
    require_torch()
    from archive_colorizer.training.checkpoint import CHECKPOINT_NAME
    from archive_colorizer.training.progress import TensorBoardLog

    checkpoint = folder / CHECKPOINT_NAME
    if resume and init:
        raise UsageError("--resume and --init exclude each other; give one of them")
    if resume and not checkpoint.exists():
        raise UsageError(f"--resume: {checkpoint} does not exist; start without --resume")
    if checkpoint.exists() and not resume:
        raise UsageError(f"{folder} holds a run; give --resume to continue it, or another --output")
    recipe = _load_settings(recipe_file, checkpoint if resume else None)
    recipe = recipe.replace_settings(collect_chosen(settings), "options")
    if not resume and init is None and _has_default_network(recipe):
        click.echo(
            f"starts from the model {_DEFAULT}; --init none starts from the encoder's weights"
        )
        init = _DEFAULT
    if init == _NONE:
        init = None
    board = TensorBoardLog(folder / "tensorboard") if tensorboard else None
    return _train(places, recipe, folder, checkpoint if resume else init, board)


def _train(
    places: tuple[Path, ...],
    recipe: "TrainingRecipe",
    folder: Path,
    start: Path | None,
    board: "TensorBoardLog | None",
) -> int:
    from archive_colorizer.run.signals import stop_on_signals
    from archive_colorizer.training.checkpoint import load_checkpoint
    from archive_colorizer.training.data.crops import index_photos, read_photos
    from archive_colorizer.training.loop import train
    from archive_colorizer.training.progress import describe_result

    # Reader processes load photographs themselves, so this process keeps none in memory.
    load_photos = index_photos if recipe.readers else read_photos
    photos = load_photos(places, recipe.memory_gb)
    in_memory, total = photos.memory_bytes / 1e6, photos.total_bytes / 1e6
    click.echo(f"{total:.0f} MB of photographs, {in_memory:.0f} MB of them in memory")
    with stop_on_signals(_GRACE) as stop:
        if "WORLD_SIZE" in os.environ:
            # torchrun repeats each signal at once, before the current step has ended.
            stop.is_protected = True
        checkpoint = train(
            photos,
            recipe,
            folder,
            start=start,
            report=click.echo,
            board=board,
            should_stop=lambda: stop.is_requested,
        )
        if stop.signal is not None:
            click.echo(f"interrupted; --resume continues from {checkpoint}", err=True)
            return 128 + stop.signal
    click.echo(f"now: archive-colorize export {checkpoint} --output MODEL.onnx")
    if os.environ.get("RANK", "0") == "0":  # the process that writes the checkpoint
        click.echo(describe_result(load_checkpoint(checkpoint)))
    return ExitCode.OK


def require_torch() -> None:
    """Raise DependencyError where PyTorch is missing, with the package to install."""
    if importlib.util.find_spec("torch") is None:
        raise DependencyError(
            "PyTorch is not installed; run: pip install 'archive-colorizer[train]'"
        )


def _has_default_network(recipe: "TrainingRecipe") -> bool:
    """Whether the network is that of the default model, and not started from other weights."""
    from archive_colorizer.training.config import TrainingRecipe

    plain = TrainingRecipe()
    chosen = (recipe.network, recipe.encoder_weights, recipe.network_kwargs.keys() - {"confidence"})
    return chosen == (plain.network, plain.encoder_weights, set())


def _load_settings(recipe_file: Path | None, checkpoint: Path | None) -> "TrainingRecipe":
    """Load the settings of the recipe file, or those of the run to resume."""
    from archive_colorizer.training.checkpoint import load_checkpoint
    from archive_colorizer.training.config import TrainingRecipe

    if recipe_file:
        return TrainingRecipe.load(recipe_file)
    if checkpoint:
        return TrainingRecipe().replace_settings(
            load_checkpoint(checkpoint)["recipe"], str(checkpoint)
        )
    return TrainingRecipe()
