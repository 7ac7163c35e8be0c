"""`archive-colorize export`: a model file from a training checkpoint."""

from pathlib import Path

import click

from archive_colorizer.cli.commands.train import require_torch

_PATH = click.Path(path_type=Path)


@click.command(epilog="Example: archive-colorize export runs/mine --output models/mine.onnx")
@click.argument("checkpoint", type=_PATH)
@click.option("--output", required=True, type=_PATH, help="The .onnx file to write.")
@click.option("--size", type=int, help="Working size in pixels.  [default: the recipe's]")
@click.option("--data-sheet", help="Data and version for the contract.  [default: the recipe's]")
@click.option(
    "--weights",
    type=click.Choice(["fp32", "fp16", "int8"]),
    default="fp32",
    show_default=True,
    help="How the file stores them; a run computes in fp32 all the same.",
)
@click.option(
    "--average",
    type=_PATH,
    metavar="MODEL",
    help="Average the weights with those of this one: a checkpoint, a model file, or a name.",
)
@click.option(
    "--share", type=float, default=0.5, show_default=True, help="Of --average in the mean."
)
@click.option(
    "--largest",
    type=click.IntRange(1, 100),
    default=25,
    show_default=True,
    help="MiB that the file may have.",
)
def command(
    checkpoint: Path,
    output: Path,
    size: int | None,
    data_sheet: str | None,
    weights: str,
    average: Path | None,
    share: float,
    largest: int,
) -> None:
    """Turn CHECKPOINT (a file, or the folder of a run) into a model file.

    The file is only written when onnxruntime gives what PyTorch gives.  fp16 halves its
    size and int8 takes two thirds off it; both are as fast as fp32 once a run has begun.

    A run that began with another model (train --init) may be averaged with it: the mean keeps
    more of what that model could do.
    """
    require_torch()
    # Late, so that --help answers at once.
    from archive_colorizer.training.export.average import Other
    from archive_colorizer.training.export.export import export_checkpoint

    given = {"working_size": size, "data_sheet": data_sheet}
    settings = {name: value for name, value in given.items() if value is not None}
    lost = export_checkpoint(
        checkpoint,
        output,
        settings,
        weights=weights,
        largest=largest,
        average=Other(average, share) if average else None,
    )
    click.echo(
        f"{output} is written, {output.stat().st_size / 1e6:.1f} MB; onnxruntime and PyTorch "
        f"differ by {lost.worst:.1e} at most, by {lost.mean:.1e} in the mean"
    )
