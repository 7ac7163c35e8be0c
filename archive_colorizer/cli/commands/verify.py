"""`archive-colorize verify`: check the fixity of an output, and its luma."""

import json
from collections import defaultdict
from typing import TYPE_CHECKING

import click

from archive_colorizer.cli.options import LOCATION, make_option
from archive_colorizer.cli.terminal import make_counter, print_line
from archive_colorizer.errors import ExitCode
from archive_colorizer.location import Location

if TYPE_CHECKING:
    from archive_colorizer.verification.files import Finding
    from archive_colorizer.verification.verify import Verdict

_WORDS = {
    "FileMissing": "missing",
    "ChecksumMismatch": "changed",
    "UnexpectedFile": "unexpected",
    "SourceMissing": "sources missing",
    "SourceChanged": "sources changed",
    "LumaMismatch": "with another luma",
}


@click.command(epilog="Example: archive-colorize verify ./scans-colorized --deep")
@click.argument("output", metavar="OUT", type=LOCATION)
@make_option("--deep", "Also decode, and compare luma with the sources.", is_flag=True)
@make_option("--scans", "Look for moved sources here.", multiple=True, type=LOCATION)
@make_option("--json as_json", "Print one JSON report on stdout.", is_flag=True)
@make_option("--quiet", "Print nothing.", is_flag=True)
def command(
    output: Location, deep: bool, scans: tuple[Location, ...], as_json: bool, quiet: bool
) -> int:
    """Check every result in OUT against the manifest there, and write nothing.

    Missing, changed and unexpected files are named, and the exit code is 7 when there are any.
    """
    from archive_colorizer.verification.verify import verify_output

    findings: dict[str, list[dict[str, str]]] = defaultdict(list)

    def show_finding(finding: "Finding") -> None:
        if as_json:
            findings[finding.kind].append({"path": finding.path, "message": finding.message})
        elif not quiet:
            print_line(f"{finding.kind}: {finding.path}: {finding.message}")

    watch = make_counter(quiet or as_json)
    verdict = verify_output(output, show_finding, deep=deep, scans=scans, watch=watch)
    if as_json:
        report = {"output": str(output), **_build_report(verdict, deep), "findings": findings}
        click.echo(json.dumps(report))
    elif not quiet:
        _show_summary(verdict, deep)
    return ExitCode.SOME_FAILED if verdict.findings else ExitCode.OK


def _build_report(verdict: "Verdict", deep: bool) -> dict[str, object]:
    report: dict[str, object] = {
        "files": verdict.files,
        "held_by": verdict.holder,
        "ignored_lines": verdict.ignored,
    }
    if deep:
        report |= {
            "luma_identical": verdict.identical,
            "luma_within_1": verdict.within,
            "luma_sharpened": verdict.sharpened,
            "luma_of": verdict.pictures,
            "frames_compared": verdict.frames,
            "frames_lost_in_sources": verdict.lost,
            "films_lossy": verdict.lossy,
        }
    return report


def _show_summary(verdict: "Verdict", deep: bool) -> None:
    if verdict.holder:
        print_line(f"a run ({verdict.holder}) is at work here; files above may be its latest")
    if verdict.ignored:
        click.echo(f"{verdict.ignored} line(s) of the manifest are invalid and were ignored")
    counts = {str(kind): count for kind, count in verdict.findings.items()}
    shown = ["FileMissing", "ChecksumMismatch", "UnexpectedFile"]
    shown += [kind for kind in _WORDS if kind in counts and kind not in shown]
    words = ", ".join(f"{counts.get(kind, 0):,} {_WORDS[kind]}" for kind in shown)
    click.echo(f"{verdict.files:,} files checked: {words}")
    if deep:
        pictures = f"{verdict.pictures:,} files"
        click.echo(f"luma identical: {verdict.identical:,} of {pictures}")
        click.echo(f"luma within 1: {verdict.within:,} of {pictures}")
        if verdict.sharpened:
            click.echo(f"luma within 1 after sharpening: {verdict.sharpened:,} of {pictures}")
        if verdict.marked:
            click.echo(f"of these compared without the visible mark: {verdict.marked:,}")
        if verdict.lossy:
            click.echo(f"films in a lossy codec, luma roughly kept: {verdict.lossy:,}")
        if verdict.frames:
            lost = f"; {verdict.lost:,} cannot be decoded in the source" if verdict.lost else ""
            click.echo(f"frames of films compared: {verdict.frames:,}{lost}")
