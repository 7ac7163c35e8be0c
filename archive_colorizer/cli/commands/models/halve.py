"""`archive-colorize models halve`: a model that computes in 16 bits."""

from pathlib import Path

import click

from archive_colorizer.cli import printable
from archive_colorizer.cli.options import PATH


@click.command(epilog="Example: archive-colorize models halve ddcolor --output ddcolor-fp16.onnx")
@click.argument("model", metavar="NAME|FILE")
@click.option("--output", type=PATH, help="The .onnx to write.  [default: NAME-fp16, shelved]")
def command(model: str, output: Path | None) -> None:
    """Write a copy of a model that computes in 16 bits, for a graphics card.

    What that changes is measured first, and a model that loses by it is refused. The copy has a
    digest of its own: a run with it makes results of a run with the other again.
    """
    # Late, so that --help answers at once.
    from archive_colorizer.adoption.fp16 import halve
    from archive_colorizer.model.registry import find_model, place_on_shelf

    path = find_model(model)
    place = output or place_on_shelf(f"{path.stem}-fp16")
    change = halve(path, place)
    click.echo(printable(f"{place} is written, {place.stat().st_size / 1e6:.1f} MB"))
    click.echo(
        f"  answers change by {255 * change.worst:.2f} code values of 8 bits at most, by "
        f"{255 * change.mean:.3f} in the mean of a picture"
    )
