"""`archive-colorize models halve`: write a copy of a model that computes in 16 bits."""

from pathlib import Path

import click

from archive_colorizer.cli.options import PATH, make_option
from archive_colorizer.cli.terminal import print_line


@click.command(epilog="Example: archive-colorize models halve ddcolor --output ddcolor-fp16.onnx")
@click.argument("model", metavar="NAME|FILE")
@make_option("--output", "Write this .onnx.", "the adopted model NAME-fp16", type=PATH)
def command(model: str, output: Path | None) -> None:
    """Write a copy of a model that computes in 16 bits, for a graphics card.

    The change is measured first, and a model that loses quality is refused. The copy has its own
    digest, so a run with it restores again the results of a run with the original.
    """
    from archive_colorizer.adoption.fp16 import halve
    from archive_colorizer.model.registry import find_model, get_adopted_path

    path = find_model(model)
    target = output or get_adopted_path(f"{path.stem}-fp16")
    mean, worst = halve(path, target)
    print_line(f"{target} is written, {target.stat().st_size / 1e6:.1f} MB")
    click.echo(
        f"  answers change by {255 * worst:.2f} code values of 8 bits at most, by "
        f"{255 * mean:.3f} in the mean of a picture"
    )
