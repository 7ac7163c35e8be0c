"""`archive-colorize report`: a manifest for people, spreadsheets and repositories."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archive_colorizer.cli import printable
from archive_colorizer.cli.options import PATH, PLACE
from archive_colorizer.errors import UsageError
from archive_colorizer.location import Place

if TYPE_CHECKING:
    from archive_colorizer.manifest.reader import Account


@click.command(epilog="Example: archive-colorize report ./scans-colorized --format html")
@click.argument("output", metavar="OUT", type=PLACE)
@click.option(
    "--format",
    "kind",
    type=click.Choice(("html", "text", "json", "csv", "parquet", "premis")),
    help="[default: text]",
)
@click.option(
    "--output", "file", type=PATH, help="A new file, or html's folder.  [default: stdout]"
)
@click.option("--scans", multiple=True, type=PLACE, help="Where the sources are now, if moved.")
@click.option("--serve", is_flag=True, help="Show it on 127.0.0.1, where marks can be saved.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="[default: any free]")
def command(
    output: Place,
    kind: str | None,
    file: Path | None,
    scans: tuple[Place, ...],
    serve: bool,
    port: int,
) -> None:
    """Tell what became of every file, from the manifest in OUT.

    The newest line about a file counts. Nothing in OUT is changed. html is a folder that any
    browser opens from the disk, OUT-report unless told otherwise: pictures before and after,
    filters, and marks for `run --retry`.
    """
    # Late, so that --help answers at once.
    from archive_colorizer.manifest.reader import Account

    if serve and kind not in (None, "html"):
        raise UsageError("--serve shows the html report; leave --format away")
    if not (serve or kind == "html"):
        account = Account.open(output)
        if account.ignored:
            said = f"{account.ignored} line(s) of the manifest are no records and were ignored"
            click.echo(said, err=True)
        _export(account, kind or "text", file)
        return
    page = write_html(output, file, scans)
    if serve:
        _serve(page.parent, port)


def write_html(
    output: Place, folder: Path | None, scans: tuple[Place, ...] = (), *, quiet: bool = False
) -> Path:
    """Write the report for browsers and say where it is."""
    from archive_colorizer.report.build import build_report

    shown = sys.stderr.isatty() and not quiet

    def watch(done: int, of: int) -> None:
        if shown and (done % 16 == 0 or done == of):
            click.echo(f"\rreport: {done:,} of {of:,}", nl=done == of, err=True)

    page = build_report(output, folder, scans=scans, watch=watch)
    if not quiet:
        click.echo(f"report: {printable(str(page))}", err=True)
    return page


def _serve(folder: Path, port: int) -> None:
    from archive_colorizer.report.serve import Server

    with Server(folder, port) as server:
        click.echo(f"open {server.address}")
        click.echo(
            f"marks are saved in {printable(str(folder / 'marked.json'))}; ^C ends", err=True
        )
        sys.stdout.flush()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("ended", err=True)


def _export(account: "Account", kind: str, file: Path | None) -> None:
    from archive_colorizer.export.formats import EXPORTS, export_to

    if kind == "text":
        if file is not None:
            raise UsageError("--output needs --format html, json, csv, parquet or premis")
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
    from archive_colorizer.export.formats import overview_of

    overview = overview_of(account)
    for (state, reason), count in sorted(overview.states.items()):
        click.echo(f"{count:>10,}  {state}{f': {printable(reason)}' if reason else ''}")
    for name, count in sorted(overview.weak.items()):
        click.echo(f"{count:>10,}  of the results weak in: {printable(name)}")
    click.echo(f"{len(account):>10,}  files in all; {overview.warnings:,} of them with warnings")
    for run in account.runs:
        said = f"run {run.run} with {run.version}, model {run.model}, {run.provider}"
        click.echo(printable(f"{said}, from {', '.join(run.roots)}"))
