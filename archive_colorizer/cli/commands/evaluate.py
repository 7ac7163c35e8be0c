"""`archive-colorize evaluate`: how good is a model, through the real pipeline?"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archive_colorizer.cli import printable

if TYPE_CHECKING:
    from rich.console import Console

    from archive_colorizer.evaluation.metrics import Picture
    from archive_colorizer.evaluation.summary import Estimate, Row

_PATH = click.Path(path_type=Path)
_PLAIN_WIDTH = 100

Costs = Mapping[str, tuple[float, float]]


@click.command(epilog="Example: archive-colorize evaluate default --data photos.tar")
@click.argument("models", nargs=-1, required=True)
@click.option(
    "--data",
    multiple=True,
    required=True,
    type=_PATH,
    help="A folder or tar of color photographs; may be given several times, each is a set.",
)
@click.option(
    "--index",
    type=_PATH,
    help="CSV with a column `file`, to group photographs by.  [default: index.csv beside a tar]",
)
@click.option("--by", "columns", multiple=True, help="A column of the index to group by.")
@click.option("--recipe", "recipe_file", type=_PATH, help="Settings of the run (TOML).")
@click.option(
    "--output", type=_PATH, help="Folder for figures.csv, summary.csv and the contact sheet."
)
def command(
    models: tuple[str, ...],
    data: tuple[Path, ...],
    index: Path | None,
    columns: tuple[str, ...],
    recipe_file: Path | None,
    output: Path | None,
) -> None:
    """Measure MODELS (names or files) on color photographs made grey.

    Every photograph goes through a real run as a grey PNG.  Figures are means with 95 %
    bootstrap intervals; the row `grey` is the neutral picture itself.
    """
    from archive_colorizer.evaluation import dataset as subjects
    from archive_colorizer.evaluation import runner as trial
    from archive_colorizer.evaluation import summary
    from archive_colorizer.evaluation.metrics import need_metrics
    from archive_colorizer.recipe.files import load_recipe

    need_metrics()
    recipe = load_recipe(recipe_file)
    # A model that cannot be opened is told before minutes of work on the others.
    costs = {one: (trial.milliseconds(one), trial.megabytes(one)) for one in models}
    for place in data if index is None else ():
        if beside := subjects.index_beside(place):
            click.echo(f"{printable(str(place))}: grouped by {printable(str(beside))}")
    found = subjects.load_subjects(data, index, columns)
    results = trial.restore_subjects(models, found, recipe)
    figures = trial.measure(results, found)
    table = list(summary.rows(figures, subjects.groups_of(found)))
    _show(table, costs)
    if output:
        output.mkdir(parents=True, exist_ok=True)
        summary.write_figures(output / "figures.csv", figures, found)
        summary.write_summary(output / "summary.csv", table, costs)
        _write_sheet(output / "sheet.png", {**results, "truth": [one.rgb for one in found]})
        click.echo(f"figures.csv, summary.csv and sheet.png: {printable(str(output))}")


def _write_sheet(path: Path, columns: "Mapping[str, Sequence[Picture]]") -> None:
    from archive_colorizer.evaluation.sheet import write_sheet

    short = _short(list(columns))
    write_sheet(path, {short[name]: pictures for name, pictures in columns.items()})


def _short(models: Sequence[str]) -> dict[str, str]:
    """File names in place of paths, where that leaves them different."""
    names = [Path(model).stem for model in models]
    return {
        model: name if names.count(name) == 1 else model
        for model, name in zip(models, names, strict=True)
    }


def _show(table: Sequence["Row"], costs: Costs) -> None:
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=_PLAIN_WIDTH)
    _show_errors(console, table)
    _show_colors(console, table)
    short = _short(list(costs))
    for model, (time, size) in costs.items():
        console.print(
            f"{short[model]}: {time:.1f} ms a picture on one core, {size:.1f} MB",
            markup=False,
            highlight=False,
        )


def _show_errors(console: "Console", table: Sequence["Row"]) -> None:
    headings = ("CIEDE2000", "% of grey's", "PSNR dB", "ab-PSNR dB", "SSIM")

    def cells(row: "Row") -> list[str]:
        one = row.estimates
        return [
            _within(one["ciede2000"], 2),
            _within(one["of_grey_percent"], 1),
            _within(one["psnr"], 2),
            _within(one["ab_psnr"], 2),
            f"{one['ssim'].value:.3f}",
        ]

    _print_table(console, "Distance from the truth", headings, [(r, cells(r)) for r in table])


def _show_colors(console: "Console", table: Sequence["Row"]) -> None:
    headings = ("colorfulness", "% of truth's", "gap", "b*", "luma error")

    def cells(row: "Row") -> list[str]:
        one = row.estimates
        return [
            _within(one["colorfulness"], 1),
            _within(one["colorfulness_percent"], 0),
            f"{one['gap'].value:.1f}",
            f"{one['b'].value:+.1f}",
            f"{row.worst_luma_error:.2f}",
        ]

    title = "Amount of color, and the largest luma error in code values"
    _print_table(console, title, headings, [(r, cells(r)) for r in table])


def _within(estimate: "Estimate", digits: int) -> str:
    value = f"{estimate.value:.{digits}f}"
    return value if estimate.low != estimate.low else f"{value} ±{estimate.within:.{digits}f}"


def _print_table(
    console: "Console",
    title: str,
    headings: Sequence[str],
    lines: Sequence[tuple["Row", list[str]]],
) -> None:
    """A table with a section for each group; models are its lines."""
    from rich.markup import escape
    from rich.table import Table

    short = _short(list(dict.fromkeys(row.model for row, _ in lines)))
    grid = Table(box=None, padding=(0, 1), title=title, title_justify="left", title_style="bold")
    grid.add_column("", no_wrap=True, overflow="ellipsis")
    for heading in headings:
        grid.add_column(heading, justify="right", no_wrap=True)
    group = ""
    for row, cells in lines:
        if row.group != group:
            group = row.group
            grid.add_row(f"[bold]{escape(group)}[/bold] ({row.photos:,})")
        grid.add_row(f"  {escape(short[row.model])}", *cells)
    console.print(grid)
    console.print()
