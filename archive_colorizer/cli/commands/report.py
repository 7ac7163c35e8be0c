"""`archive-colorize report`: show a manifest to people, spreadsheets and repositories."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archive_colorizer.cli.options import LOCATION, PATH, make_option
from archive_colorizer.cli.terminal import make_counter, print_line
from archive_colorizer.errors import UsageError
from archive_colorizer.location import Location

if TYPE_CHECKING:
    from archive_colorizer.manifest.reader import ManifestReader


@click.command(epilog="Example: archive-colorize report ./scans-colorized --format html")
@click.argument("output", metavar="OUT", type=LOCATION)
@make_option(
    "--format kind",
    "Choose the form of the report.",
    "text",
    type=click.Choice(("html", "text", "json", "csv", "parquet", "premis")),
)
@make_option("--output file", "Write to a new file, or html's folder.", "stdout", type=PATH)
@make_option("--scans", "Look for moved sources here.", multiple=True, type=LOCATION)
@make_option("--serve", "Serve it on 127.0.0.1, where marks can be saved.", is_flag=True)
@make_option("--port", "Choose the port.", "any free", type=click.IntRange(0, 65535), default=0)
def command(
    output: Location,
    kind: str | None,
    file: Path | None,
    scans: tuple[Location, ...],
    serve: bool,
    port: int,
) -> None:
    """Show what became of every file, from the manifest in OUT.

    The newest line about a file counts. Nothing in OUT is changed. html is a folder that any
    browser opens from the disk, by default OUT-report, with pictures before and after,
    filters, and marks for `run --retry`.
    """
    from archive_colorizer.manifest.reader import ManifestReader

    if serve and kind not in (None, "html"):
        raise UsageError("--serve shows the html report; remove --format")
    if not (serve or kind == "html"):
        manifest = ManifestReader.open(output)
        if manifest.ignored:
            click.echo(
                f"{manifest.ignored} line(s) of the manifest are invalid and were ignored", err=True
            )
        _export(manifest, kind or "text", file)
        return
    page = write_html(output, file, scans)
    if serve:
        _serve(page.parent, port)


def write_html(
    output: Location, folder: Path | None, scans: tuple[Location, ...] = (), *, quiet: bool = False
) -> Path:
    """Write the report for browsers and print where it is."""
    from archive_colorizer.report.build import build_report

    watch = make_counter(quiet, "report: ")
    page = build_report(output, folder, scans=scans, watch=watch)
    if not quiet:
        print_line(f"report: {page}", err=True)
    return page


def _serve(folder: Path, port: int) -> None:
    from archive_colorizer.report.serve import ReportServer

    with ReportServer(folder, port) as server:
        click.echo(f"open {server.address}")
        print_line(f"marks are saved in {folder / 'marked.json'}; ^C ends", err=True)
        sys.stdout.flush()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("ended", err=True)


def _export(manifest: "ManifestReader", kind: str, file: Path | None) -> None:
    from archive_colorizer.export.formats import EXPORTS, export_to

    if kind == "text":
        if file is not None:
            raise UsageError("--output needs --format html, json, csv, parquet or premis")
        _show_overview(manifest)
    elif file is not None:
        export_to(file, manifest, EXPORTS[kind])
    elif kind == "parquet" and sys.stdout.isatty():
        raise UsageError("a terminal cannot show Parquet; give --output FILE")
    else:
        stream = sys.stdout.buffer
        EXPORTS[kind](manifest, stream)
        stream.flush()


def _show_overview(manifest: "ManifestReader") -> None:
    from archive_colorizer.export.formats import summarize

    overview = summarize(manifest)
    for (state, reason), count in sorted(overview.states.items()):
        print_line(f"{count:>10,}  {state}{f': {reason}' if reason else ''}")
    for name, count in sorted(overview.weak.items()):
        print_line(f"{count:>10,}  of the results weak in: {name}")
    click.echo(f"{len(manifest):>10,}  files in all; {overview.warnings:,} of them with warnings")
    for run in manifest.runs:
        text = f"run {run.run} with {run.version}, model {run.model}, {run.provider}"
        print_line(f"{text}, from {', '.join(run.roots)}")
