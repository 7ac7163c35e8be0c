"""`archive-colorize evaluate`: how good is a model, through the real pipeline?"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from archive_colorizer.evaluation import Row

_PATH = click.Path(path_type=Path)


@click.command(epilog="Example: archive-colorize evaluate default --data photos.tar")
@click.argument("models", nargs=-1, required=True)
@click.option(
    "--data",
    multiple=True,
    required=True,
    type=_PATH,
    help="A folder or tar of color photographs; may be given several times.",
)
@click.option("--index", type=_PATH, help="CSV with a column `file`, to group photographs by.")
@click.option("--by", "columns", multiple=True, help="A column of the index to group by.")
@click.option("--recipe", "recipe_file", type=_PATH, help="Settings of the run (TOML).")
@click.option("--output", type=_PATH, help="Folder for figures.csv and sheet.png.")
def command(
    models: tuple[str, ...],
    data: tuple[Path, ...],
    index: Path | None,
    columns: tuple[str, ...],
    recipe_file: Path | None,
    output: Path | None,
) -> None:
    """Measure MODELS (names or files) on color photographs made grey.

    Every photograph goes through a real run as a grey PNG. Figures are means with 95 %
    bootstrap intervals; the row `grey` is the neutral picture itself.
    """
    from archive_colorizer import evaluation
    from archive_colorizer.model.shelf import find_model
    from archive_colorizer.recipe import Recipe, load_recipe
    from archive_colorizer.training.data import read_photos

    recipe = load_recipe(recipe_file) if recipe_file else Recipe()
    if output:
        output.mkdir(parents=True, exist_ok=True)
    sheet = output / "sheet.png" if output else None
    figures = evaluation.evaluate(models, read_photos(data), recipe, sheet)
    groups = evaluation.groups_of(list(figures[evaluation.GREY]), index, columns)
    _show(evaluation.rows(figures, groups))
    for model in models:
        size = find_model(model).stat().st_size / 1e6
        click.echo(f"{model}: {evaluation.milliseconds(model):.1f} ms on one core, {size:.1f} MB")
    if output:
        evaluation.write_csv(output / "figures.csv", figures)
        click.echo(f"figures and contact sheet: {output}")


def _show(rows: Iterable["Row"]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    headings = (
        "model",
        "group",
        "photos",
        "PSNR dB",
        "SSIM",
        "CIEDE2000",
        "colorfulness",
        "b*",
        "luma error",
    )
    for heading in headings:
        table.add_column(heading, justify="left" if heading in ("model", "group") else "right")
    for row in rows:
        means, within = row.figures, row.within
        table.add_row(
            row.model,
            row.group,
            str(row.photos),
            f"{means.psnr:.2f} ±{within.psnr:.2f}",
            f"{means.ssim:.3f}",
            f"{means.ciede2000:.2f} ±{within.ciede2000:.2f}",
            f"{means.colorfulness:.1f} ({means.colorfulness / max(means.truth, 1e-6):.0%})",
            f"{means.b:+.1f}",
            f"{means.luma_error:.2f}",
        )
    Console(width=130).print(table)
