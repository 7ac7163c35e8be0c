"""`archive-colorize models list`: list the models, and measure how fast they are here."""

import dataclasses
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from archive_colorizer.cli.options import make_option
from archive_colorizer.cli.terminal import make_printable, print_line

if TYPE_CHECKING:
    from archive_colorizer.model.registry import RegisteredModel

_DIGITS = 12
_PLAIN_WIDTH = 120


@click.command(epilog="Example: archive-colorize models list --time")
@make_option("--time is_timed", "Measure each on one core of this machine.", is_flag=True)
@make_option("--json as_json", "Print JSON on stdout, with whole digests.", is_flag=True)
def command(is_timed: bool, as_json: bool) -> None:
    """List the models: those that came with the program, and those adopted."""
    from archive_colorizer.model.registry import get_adopted_folder, inspect_models

    models = list(inspect_models())
    times = [_measure_milliseconds(model) if is_timed else None for model in models]
    if as_json:
        lines = [_describe(model, time) for model, time in zip(models, times, strict=True)]
        click.echo(json.dumps(lines, indent=2))
        return
    _show(models, times)
    print_line(f"adopted models are in {get_adopted_folder()}")


def _measure_milliseconds(model: "RegisteredModel") -> float | None:
    """Measure one inference; None for a model that cannot be opened."""
    from archive_colorizer.errors import ModelError
    from archive_colorizer.model.colorizer import measure_milliseconds

    try:
        return measure_milliseconds(model.path)
    except ModelError as error:
        print_line(f"trouble: {error}", err=True)
        return None


def _describe(model: "RegisteredModel", time: float | None) -> dict[str, object]:
    contract = dataclasses.asdict(model.contract) if model.contract else {}
    return {
        "name": model.name,
        "path": str(model.path),
        "shipped": model.is_shipped,
        "bytes": model.size,
        "sha256": model.sha256,
        "family": contract.get("family"),
        "licence": contract.get("licence"),
        "milliseconds": time,
        "trouble": model.trouble or None,
        "contract": contract or None,
    }


def _show(models: "Sequence[RegisteredModel]", times: Sequence[float | None]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    grid = Table(box=None, padding=(0, 1))
    for heading in ("model", "family", "licence"):
        grid.add_column(heading, overflow="fold")
    for heading in ("MB", "sees", "says", "ms", "sha256"):
        grid.add_column(heading, justify="right", no_wrap=True)
    for model, time in zip(models, times, strict=True):
        contract = model.contract
        grid.add_row(
            escape(make_printable(model.name)) + ("" if model.is_shipped else " (adopted)"),
            escape(make_printable(contract.family)) if contract else "?",
            escape(make_printable(contract.licence)) if contract else "?",
            f"{model.size / 1e6:.1f}",
            f"{contract.input.space} {contract.input.size}" if contract else "?",
            contract.output.space if contract else "?",
            "" if time is None else f"{time:.0f}",
            model.sha256[:_DIGITS],
        )
    Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH).print(grid)
    for model in models:
        if model.trouble:
            print_line(f"trouble: {model.trouble}", err=True)
