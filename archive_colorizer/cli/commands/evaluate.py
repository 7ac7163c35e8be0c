"""`archive-colorize evaluate`: measure models through the real pipeline."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from archive_colorizer.cli.options import LOCAL_PATH, make_option
from archive_colorizer.cli.terminal import print_line

if TYPE_CHECKING:
    from rich.console import Console

    from archive_colorizer.evaluation.metrics import Picture
    from archive_colorizer.evaluation.summary import SummaryRow

_PLAIN_WIDTH = 100
_PERCENTS = (50, 75, 125)

Costs = Mapping[str, tuple[float, float]]


@click.command(epilog="Example: archive-colorize evaluate default --data photos.tar")
@click.argument("models", nargs=-1, required=True)
@make_option(
    "--data",
    "Use this folder or tar of color photographs; repeat for more sets.",
    multiple=True,
    required=True,
    type=LOCAL_PATH,
)
@make_option(
    "--index", "Group by a CSV with a column `file`.", "index.csv next to a tar", type=LOCAL_PATH
)
@make_option("--by columns", "Group by this column of the index.", multiple=True)
@make_option("--recipe recipe_file", "Read settings of the run from a TOML file.", type=LOCAL_PATH)
@make_option("--curve", "Measure 50, 75 and 125 % of the color as well.", is_flag=True)
@make_option(
    "--stability",
    "Measure how results change with a crop, a mirror, exposure and grain.",
    is_flag=True,
)
@make_option("--output", "Write figures.csv, summary.csv and sheet.png here.", type=LOCAL_PATH)
def command(
    models: tuple[str, ...],
    data: tuple[Path, ...],
    index: Path | None,
    columns: tuple[str, ...],
    recipe_file: Path | None,
    curve: bool,
    stability: bool,
    output: Path | None,
) -> None:
    """Measure MODELS (names or files) on color photographs made grey.

    Each photograph goes through a real run as a grey PNG.  Figures are means with 95 %
    bootstrap intervals; the row `grey` is the neutral picture itself, and the group `least color`
    the fifth with the least color.
    """
    from archive_colorizer.evaluation import dataset as subjects
    from archive_colorizer.evaluation import runner as trial
    from archive_colorizer.evaluation import summary
    from archive_colorizer.evaluation.metrics import require_metrics
    from archive_colorizer.model.colorizer import measure_milliseconds
    from archive_colorizer.model.registry import find_model
    from archive_colorizer.recipe.files import load_recipe

    require_metrics()
    recipe = load_recipe(recipe_file)
    # Open every model first, so that a broken one is reported before minutes of work.
    paths = {model: find_model(model) for model in models}
    costs = {
        model: (measure_milliseconds(path), path.stat().st_size / 1e6)
        for model, path in paths.items()
    }
    for dataset in data if index is None else ():
        if index_file := subjects.find_index(dataset):
            print_line(f"{dataset}: grouped by {index_file}")
    photos = subjects.load_subjects(data, index, columns)
    results = trial.restore_subjects(models, photos, recipe)
    changes = trial.measure_stability(results, photos, recipe) if stability else {}
    if curve:
        results |= trial.restore_strengths(paths, _PERCENTS, results[trial.GREY], photos, recipe)
    figures = trial.measure(results, photos)
    rows = list(summary.summarize_groups(figures, subjects.group_subjects(photos)))
    _show(rows, costs)
    _print_stability(changes)
    if output:
        output.mkdir(parents=True, exist_ok=True)
        summary.write_figures(output / "figures.csv", figures, photos)
        summary.write_summary(output / "summary.csv", rows, costs)
        _write_sheet(output / "sheet.png", {**results, "truth": [photo.rgb for photo in photos]})
        print_line(f"figures.csv, summary.csv and sheet.png: {output}")


def _write_sheet(path: Path, columns: "Mapping[str, Sequence[Picture]]") -> None:
    from archive_colorizer.evaluation.sheet import write_sheet

    short = _shorten_names(list(columns))
    write_sheet(path, {short[name]: pictures for name, pictures in columns.items()})


def _shorten_names(models: Sequence[str]) -> dict[str, str]:
    """Shorten paths to file names where these differ."""
    names = [Path(model).stem for model in models]
    return {
        model: name if names.count(name) == 1 else model
        for model, name in zip(models, names, strict=True)
    }


def _show(rows: Sequence["SummaryRow"], costs: Costs) -> None:
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=_PLAIN_WIDTH)
    _print_table(console, "Distance from the truth", _ERRORS, rows)
    title = "Amount of color, and the largest luma error in code values"
    _print_table(console, title, _COLORS, rows)
    short = _shorten_names(list(costs))
    for model, (time, size) in costs.items():
        console.print(
            f"{short[model]}: {time:.1f} ms a picture on one core, {size:.1f} MB",
            markup=False,
            highlight=False,
        )


def _print_stability(changes: Mapping[str, Mapping[str, float]]) -> None:
    short = _shorten_names(list(changes))
    for model, differences in changes.items():
        listed = ", ".join(f"{name} {value:.2f}" for name, value in differences.items())
        print_line(f"{short[model]}: CIEDE2000 between results, {listed}")


def _format_estimate(row: "SummaryRow", name: str, digits: int) -> str:
    estimate = row.estimates[name]
    value = f"{estimate.value:.{digits}f}"
    return value if estimate.low != estimate.low else f"{value} ±{estimate.within:.{digits}f}"


_ERRORS: Final[dict[str, Callable[["SummaryRow"], str]]] = {
    "CIEDE2000": lambda row: _format_estimate(row, "ciede2000", 2),
    "% of grey's": lambda row: _format_estimate(row, "of_grey_percent", 1),
    "% worse": lambda row: _format_estimate(row, "worse_percent", 0),
    "PSNR dB": lambda row: _format_estimate(row, "psnr", 2),
    "ab-PSNR dB": lambda row: _format_estimate(row, "ab_psnr", 2),
    "SSIM": lambda row: f"{row.estimates['ssim'].value:.3f}",
}
_COLORS: Final[dict[str, Callable[["SummaryRow"], str]]] = {
    "colorfulness": lambda row: _format_estimate(row, "colorfulness", 1),
    "% of truth's": lambda row: _format_estimate(row, "colorfulness_percent", 0),
    "gap": lambda row: f"{row.estimates['gap'].value:.1f}",
    "b*": lambda row: f"{row.estimates['b'].value:+.1f}",
    "luma error": lambda row: f"{row.worst_luma_error:.2f}",
}


def _print_table(
    console: "Console",
    title: str,
    columns: Mapping[str, Callable[["SummaryRow"], str]],
    rows: Sequence["SummaryRow"],
) -> None:
    """Print a table with a section for each group and a line for each model."""
    from rich.markup import escape
    from rich.table import Table

    short = _shorten_names(list(dict.fromkeys(row.model for row in rows)))
    grid = Table(box=None, padding=(0, 1), title=title, title_justify="left", title_style="bold")
    grid.add_column("", no_wrap=True, overflow="ellipsis")
    for heading in columns:
        grid.add_column(heading, justify="right", no_wrap=True)
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            grid.add_row(f"[bold]{escape(group)}[/bold] ({row.photos:,})")
        cells = (format_cell(row) for format_cell in columns.values())
        grid.add_row(f"  {escape(short[row.model])}", *cells)
    console.print(grid)
    console.print()
