"""`archive-colorize report`: a manifest for people, spreadsheets and repositories."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archive_colorizer.cli import printable
from archive_colorizer.errors import UsageError

if TYPE_CHECKING:
    from archive_colorizer.run.account import Account

_PATH = click.Path(path_type=Path)
_FORMATS = ("text", "json", "csv", "parquet", "premis")


@click.command(
    epilog="Example: archive-colorize report ./scans-colorized --format csv --output report.csv"
)
@click.argument("output", metavar="OUT", type=_PATH)
@click.option(
    "--format", "kind", type=click.Choice(_FORMATS), default="text", help="[default: text]"
)
@click.option("--output", "file", type=_PATH, help="A new file.  [default: stdout]")
def command(output: Path, kind: str, file: Path | None) -> None:
    """Tell what became of every file, from the manifest in OUT.

    The newest line about a file counts. Nothing in OUT is changed.
    """
    # Late, so that --help answers at once.
    from archive_colorizer.run.account import Account
    from archive_colorizer.run.exports import EXPORTS, export_to

    account = Account.open(output)
    if account.ignored:
        click.echo(
            f"{account.ignored} line(s) of the manifest are no records and were ignored", err=True
        )
    if kind == "text":
        if file is not None:
            raise UsageError("--output needs --format json, csv, parquet or premis")
        _tell(account)
    elif file is not None:
        export_to(file, account, EXPORTS[kind])
    elif kind == "parquet" and sys.stdout.isatty():
        raise UsageError("a terminal cannot show Parquet; give --output FILE")
    else:
        stream = sys.stdout.buffer
        EXPORTS[kind](account, stream)
        stream.flush()


def _tell(account: "Account") -> None:
    from archive_colorizer.run.exports import overview_of

    overview = overview_of(account)
    for (state, reason), count in sorted(overview.states.items()):
        click.echo(f"{count:>10,}  {state}{f': {printable(reason)}' if reason else ''}")
    click.echo(f"{len(account):>10,}  files in all; {overview.warnings:,} of them with warnings")
    for run in account.runs:
        said = f"run {run.run} with {run.version}, model {run.model}, {run.provider}"
        click.echo(printable(f"{said}, from {', '.join(run.roots)}"))
