"""`archive-colorize run PHOTO --grid`: a contact sheet to choose settings from."""

from collections.abc import Mapping
from pathlib import Path

import click

from archive_colorizer.cli import printable
from archive_colorizer.errors import ExitCode, UsageError


def show_grid(
    words: tuple[Path, ...],
    grid: tuple[str, ...],
    output: Path | None,
    recipe_file: Path | None,
    options: Mapping[str, object],
) -> int:
    """Write the sheet that `grid` and the words with = among `words` ask for.

    --grid takes one axis; further ones may follow it like arguments.
    """
    from archive_colorizer.pipeline.settings_grid import GridOrder, parse_axis, write_grid

    axes = [one for text in grid for one in text.split()]
    axes += [str(one) for one in words if _is_axis(one)]
    photos = [one for one in words if not _is_axis(one)]
    if len(photos) != 1:
        raise UsageError("--grid shows one photograph; name one file")
    if output is None:
        raise UsageError("--grid needs an --output FILE.png for its sheet")
    order = GridOrder(
        photo=photos[0],
        axes=tuple(map(parse_axis, axes)),
        sheet=output,
        recipe_file=recipe_file,
        options=options,
    )
    count = write_grid(order)
    click.echo(f"{count} pictures: {printable(str(output))}")
    return ExitCode.OK


def _is_axis(word: Path) -> bool:
    return "=" in word.name and not word.exists()
