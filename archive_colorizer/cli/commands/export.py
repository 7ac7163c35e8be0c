"""`archive-colorize export`: turn a training checkpoint into a model file."""

from pathlib import Path

import click

from archive_colorizer.cli.commands.train import require_torch
from archive_colorizer.cli.options import LOCAL_PATH, collect_chosen, make_option


@click.command(epilog="Example: archive-colorize export runs/mine --output models/mine.onnx")
@click.argument("checkpoint", type=LOCAL_PATH)
@make_option("--output", "Write this .onnx file.", required=True, type=LOCAL_PATH)
@make_option("--size", "Set the working size in pixels.", "the recipe's", type=int)
@make_option("--data-sheet", "Name the data in the contract.", "the recipe's")
@make_option(
    "--weights",
    "Store weights like this; a run computes in fp32 all the same.",
    type=click.Choice(["fp32", "fp16", "int8"]),
    default="fp32",
    show_default=True,
)
@make_option(
    "--average", "Average with a checkpoint, model file, or name.", type=LOCAL_PATH, metavar="MODEL"
)
@make_option("--share", "Weigh --average in the mean.", type=float, default=0.5, show_default=True)
@make_option(
    "--largest",
    "Refuse a file of more MiB.",
    type=click.IntRange(1, 100),
    default=25,
    show_default=True,
)
@make_option("--anyway", "Export a model that is worse than grey, too.", is_flag=True)
def command(
    checkpoint: Path,
    output: Path,
    size: int | None,
    data_sheet: str | None,
    weights: str,
    average: Path | None,
    share: float,
    largest: int,
    anyway: bool,
) -> None:
    """Turn CHECKPOINT (a file, or the folder of a run) into a model file.

    The file is only written when onnxruntime and PyTorch agree.  fp16 halves its size and
    int8 takes two thirds off; both are as fast as fp32 once a run has begun.

    A run that began with another model (train --init) can be averaged with it, so that it
    keeps more of that model's abilities.
    """
    require_torch()
    from archive_colorizer.training.export.export import export_checkpoint
    from archive_colorizer.training.export.initial_weights import AveragingPartner

    settings = collect_chosen({"working_size": size, "data_sheet": data_sheet})
    error = export_checkpoint(
        checkpoint,
        output,
        settings,
        weights=weights,
        max_mib=largest,
        partner=AveragingPartner(average, share) if average else None,
        anyway=anyway,
    )
    click.echo(
        f"{output} is written, {output.stat().st_size / 1e6:.1f} MB; onnxruntime and PyTorch "
        f"differ by {error.worst:.1e} at most, by {error.mean:.1e} in the mean"
    )
