"""`archive-colorize sample`: a small archive to try things on."""

from pathlib import Path

import click


@click.command(epilog="Example: archive-colorize sample ./scans")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def command(folder: Path) -> None:
    """Lay out a small archive of real photographs in DIR, which must be new or empty."""
    from archive_colorizer.sample import lay_out_sample

    for sheet in lay_out_sample(folder):
        click.echo(f"{folder / sheet.path}: {sheet.remark}")
    click.echo(f"Now try: archive-colorize run {folder}")
