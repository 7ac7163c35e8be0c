"""`archive-colorize verify`: fixity of an output, and luma against the sources."""

import contextlib
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from archive_colorizer.cli import printable
from archive_colorizer.cli.options import PLACE
from archive_colorizer.errors import ExitCode
from archive_colorizer.location import Place

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
@click.argument("output", metavar="OUT", type=PLACE)
@click.option("--deep", is_flag=True, help="Decode, and compare luma with the sources.")
@click.option("--scans", multiple=True, type=PLACE, help="Where the sources are now, if moved.")
@click.option("--json", "as_json", is_flag=True, help="One JSON report on stdout, nothing else.")
@click.option("--quiet", is_flag=True, help="Only the exit code.")
def command(output: Place, deep: bool, scans: tuple[Place, ...], as_json: bool, quiet: bool) -> int:
    """Check every result in OUT against the manifest there; nothing is written.

    Names what is missing, changed or unexpected, and ends with 7 when anything is.
    """
    # Late, so that --help answers at once.
    from archive_colorizer.verification.verify import verify_output

    listed: dict[str, list[dict[str, str]]] = defaultdict(list)

    def tell(finding: "Finding") -> None:
        if as_json:
            listed[finding.kind].append({"path": finding.path, "message": finding.message})
        elif not quiet:
            click.echo(f"{finding.kind}: {printable(finding.path)}: {printable(finding.message)}")

    with _progress(quiet or as_json) as watch:
        verdict = verify_output(output, tell, deep=deep, scans=scans, watch=watch)
    if as_json:
        click.echo(json.dumps({"output": str(output), **_said(verdict, deep), "findings": listed}))
    elif not quiet:
        _summary(verdict, deep)
    return ExitCode.SOME_FAILED if verdict.findings else ExitCode.OK


def _said(verdict: "Verdict", deep: bool) -> dict[str, object]:
    said: dict[str, object] = {
        "files": verdict.files,
        "held_by": verdict.holder,
        "ignored_lines": verdict.ignored,
    }
    if deep:
        said |= {
            "luma_identical": verdict.identical,
            "luma_within_1": verdict.within,
            "luma_sharpened": verdict.sharpened,
            "luma_of": verdict.pictures,
            "frames_compared": verdict.frames,
            "frames_lost_in_sources": verdict.lost,
            "films_lossy": verdict.lossy,
        }
    return said


def _summary(verdict: "Verdict", deep: bool) -> None:
    if verdict.holder:
        click.echo(
            f"a run ({printable(verdict.holder)}) is at work here: what it writes at this moment "
            "may be named above"
        )
    if verdict.ignored:
        click.echo(f"{verdict.ignored} line(s) of the manifest are no records and were ignored")
    counts = {str(kind): count for kind, count in verdict.findings.items()}
    shown = ["FileMissing", "ChecksumMismatch", "UnexpectedFile"]
    shown += [kind for kind in _WORDS if kind in counts and kind not in shown]
    words = ", ".join(f"{counts.get(kind, 0):,} {_WORDS[kind]}" for kind in shown)
    click.echo(f"{verdict.files:,} files checked: {words}")
    if deep:
        click.echo(f"luma identical: {verdict.identical:,} of {verdict.pictures:,} files")
        click.echo(f"luma within 1: {verdict.within:,} of {verdict.pictures:,} files")
        if verdict.sharpened:
            click.echo(
                f"luma sharpened as asked, else within 1: {verdict.sharpened:,} of "
                f"{verdict.pictures:,} files"
            )
        if verdict.marked:
            click.echo(f"of these compared without the visible mark: {verdict.marked:,}")
        if verdict.lossy:
            click.echo(f"films in a lossy codec, luma roughly kept: {verdict.lossy:,}")
        if verdict.frames:
            lost = f"; {verdict.lost:,} cannot be decoded in the source" if verdict.lost else ""
            click.echo(f"frames of films compared: {verdict.frames:,}{lost}")


@contextlib.contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A line on a terminal that tells how far it is; nothing elsewhere."""
    shown = not quiet and sys.stderr.isatty()

    def watch(done: int, of: int) -> None:
        if shown and (done % 16 == 0 or done == of):
            click.echo(f"\r{done:,} of {of:,}", nl=done == of, err=True)

    yield watch
