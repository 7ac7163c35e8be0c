"""`archive-colorize export`: a model file from a training checkpoint."""

from pathlib import Path

import click

from archive_colorizer.cli.train import require_torch

_PATH = click.Path(path_type=Path)


@click.command(epilog="Example: archive-colorize export runs/mine --output models/mine.onnx")
@click.argument("checkpoint", type=_PATH)
@click.option("--output", required=True, type=_PATH, help="The .onnx file to write.")
@click.option("--size", type=int, help="Working size in pixels.  [default: the recipe's]")
@click.option("--data-sheet", help="Data and version for the contract.  [default: the recipe's]")
def command(checkpoint: Path, output: Path, size: int | None, data_sheet: str | None) -> None:
    """Turn CHECKPOINT (a file, or the folder of a run) into a model file.

    The file is only written when onnxruntime gives what PyTorch gives.
    """
    require_torch()
    # Late, so that --help answers at once.
    from archive_colorizer.training.export import export_checkpoint

    given = {"working_size": size, "data_sheet": data_sheet}
    settings = {name: value for name, value in given.items() if value is not None}
    worst = export_checkpoint(checkpoint, output, settings)
    click.echo(f"{output} is written; onnxruntime and PyTorch differ by {worst:.1e} at most")
