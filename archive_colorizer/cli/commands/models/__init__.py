"""`archive-colorize models`: adopt, convert, list and fetch models."""

import click

from archive_colorizer.cli import LazyGroup

COMMANDS = {
    "adopt": "Make a network from elsewhere a model for runs.",
    "halve": "Write a copy of a model that computes in 16 bits.",
    "list": "List the installed and adopted models.",
    "fetch": "Download a model from the table of addresses.",
}


@click.group(
    cls=LazyGroup,
    summaries=COMMANDS,
    package="archive_colorizer.cli.commands.models",
    epilog="Example: archive-colorize models adopt ddcolor.onnx --as ddcolor",
)
def command() -> None:
    """Adopt other networks, and list the models."""
