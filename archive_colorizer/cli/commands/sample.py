"""`archive-colorize sample`: write a small archive to try things on."""

from pathlib import Path

import click

from archive_colorizer.cli.options import LOCAL_PATH


@click.command(epilog="Example: archive-colorize sample ./scans")
@click.argument("folder", metavar="DIR", type=LOCAL_PATH)
def command(folder: Path) -> None:
    """Write a small archive of real photographs to DIR, which must be new or empty."""
    from archive_colorizer.sample import write_sample

    for path, remark in write_sample(folder).items():
        click.echo(f"{folder / path}: {remark}")
    click.echo(f"Now try: archive-colorize run {folder}")
