"""`archive-colorize sample`: write a small archive to try things on."""

from pathlib import Path

import click


@click.command(epilog="Example: archive-colorize sample ./scans")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def command(folder: Path) -> None:
    """Write a small archive of real photographs to DIR, which must be new or empty."""
    from archive_colorizer.sample import write_sample

    for sheet in write_sample(folder):
        click.echo(f"{folder / sheet.path}: {sheet.remark}")
    click.echo(f"Now try: archive-colorize run {folder}")
