"""`archive-colorize models`: networks of others, and those at hand."""

import click

from archive_colorizer.cli import LateGroup

COMMANDS = {
    "adopt": "Make a network of somebody else a model for runs.",
    "halve": "Write a copy of a model that computes in 16 bits.",
    "list": "List the models at hand.",
    "fetch": "Download a model that the table of addresses has.",
}


@click.group(
    cls=LateGroup,
    late=COMMANDS,
    package="archive_colorizer.cli.commands.models",
    epilog="Example: archive-colorize models adopt ddcolor.onnx --as ddcolor",
)
def command() -> None:
    """Bring the best network you have, and see which are at hand."""
