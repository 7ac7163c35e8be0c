"""`archive-colorize models list`: which models are at hand, and how fast they are here."""

import dataclasses
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from archive_colorizer.cli import printable

if TYPE_CHECKING:
    from archive_colorizer.model.registry import Shelved

_DIGITS = 12
_PLAIN_WIDTH = 120


@click.command(epilog="Example: archive-colorize models list --time")
@click.option("--time", "is_timed", is_flag=True, help="Measure each on one core of this machine.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, with whole digests.")
def command(is_timed: bool, as_json: bool) -> None:
    """List the models at hand: those that came with the program, and those adopted."""
    # Late, so that --help answers at once.
    from archive_colorizer.model.registry import adopted_folder, shelved_models

    found = list(shelved_models())
    times = [_milliseconds(one) if is_timed else None for one in found]
    if as_json:
        lines = [_plain(one, time) for one, time in zip(found, times, strict=True)]
        click.echo(json.dumps(lines, indent=2))
        return
    _show(found, times)
    click.echo(f"adopted models stand in {printable(str(adopted_folder()))}")


def _milliseconds(model: "Shelved") -> float | None:
    """Of one inference; None for a model that cannot be opened."""
    from archive_colorizer.errors import ModelError
    from archive_colorizer.model.timing import milliseconds

    try:
        return milliseconds(model.path)
    except ModelError as error:
        click.echo(f"trouble: {printable(str(error))}", err=True)
        return None


def _plain(model: "Shelved", time: float | None) -> dict[str, object]:
    contract = dataclasses.asdict(model.contract) if model.contract else None
    return {
        "name": model.name,
        "path": str(model.path),
        "shipped": model.is_shipped,
        "bytes": model.size,
        "sha256": model.sha256,
        "family": model.contract.family if model.contract else None,
        "licence": model.contract.licence if model.contract else None,
        "milliseconds": time,
        "trouble": model.trouble or None,
        "contract": contract,
    }


def _show(found: "Sequence[Shelved]", times: Sequence[float | None]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    grid = Table(box=None, padding=(0, 1))
    for heading in ("model", "family", "licence"):
        grid.add_column(heading, overflow="fold")
    for heading in ("MB", "sees", "says", "ms", "sha256"):
        grid.add_column(heading, justify="right", no_wrap=True)
    for one, time in zip(found, times, strict=True):
        contract = one.contract
        cells = (
            (contract.family, contract.licence, contract.input, contract.output.space)
            if contract
            else ("?", "?", None, "?")
        )
        family, licence, given, said = cells
        sees = f"{given.space} {given.size}" if given else "?"
        grid.add_row(
            escape(printable(one.name)) + ("" if one.is_shipped else " (adopted)"),
            escape(printable(family)),
            escape(printable(licence)),
            f"{one.size / 1e6:.1f}",
            sees,
            said,
            "" if time is None else f"{time:.0f}",
            one.sha256[:_DIGITS],
        )
    Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH).print(grid)
    for one in found:
        if one.trouble:
            click.echo(f"trouble: {printable(one.trouble)}", err=True)
