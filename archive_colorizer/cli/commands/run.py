"""`archive-colorize run`: the main job."""

import dataclasses
import json
import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archive_colorizer.cli import printable
from archive_colorizer.cli.commands.report import write_html
from archive_colorizer.cli.grid import show_grid
from archive_colorizer.cli.hooks import Finish, finish_options
from archive_colorizer.cli.options import (
    PATH,
    PLACE,
    chosen,
    color_options,
    result_options,
    running_options,
    saying_options,
)
from archive_colorizer.errors import ExitCode, UsageError
from archive_colorizer.location import Place, on_disk
from archive_colorizer.recipe.files import load_recipe
from archive_colorizer.recipe.overrides import load_overriding

if TYPE_CHECKING:
    from archive_colorizer.pipeline.request import Order
    from archive_colorizer.run.summary import Summary


@click.command(epilog="Example: archive-colorize run ./scans --output ./restored --strength 0.8")
@click.argument("scans", nargs=-1, required=True, type=PLACE)
@click.option("--output", type=PLACE, help="Where results go.  [default: SCANS-colorized]")
@color_options
@result_options
@running_options("one file", "color photographs")
@click.option("--retry", "marked", type=PATH, help="Restore only what this file marks redo.")
@click.option("--report", is_flag=True, help="Write the HTML report in the end: OUT-report.")
@click.option(
    "--grid",
    multiple=True,
    metavar="SETTING=A,B,...",
    help="Only a contact sheet of one photograph, as saturation=0.8,1,1.2; again for rows.",
)
@click.option("--dry-run", is_flag=True, help="List what would be done; write nothing.")
@finish_options
@saying_options
def command(
    scans: tuple[Place, ...],
    output: Place | None,
    recipe_file: Path | None,
    retry_failed: bool,
    marked: Path | None,
    report: bool,
    grid: tuple[str, ...],
    dry_run: bool,
    on_finish: str | None,
    metrics: Path | None,
    as_json: bool,
    quiet: bool,
    **given: object,
) -> int:
    """Give the photographs below SCANS their color back.

    Originals are only read. Results keep their name, format, depth and metadata, and
    manifest.jsonl in the output accounts for every file. The same command again does only
    what is missing or has changed.
    """
    # Late, so that --help answers at once.
    from archive_colorizer.cli.progress import exit_code_of
    from archive_colorizer.pipeline.request import place_order

    if grid:
        sheet = None if output is None else on_disk(output)
        return show_grid(tuple(map(on_disk, scans)), grid, sheet, recipe_file, chosen(given))
    with Finish(None, None) if dry_run else Finish(on_finish, metrics) as finish:
        options = chosen(given)
        recipe = load_recipe(recipe_file, options)
        order = place_order(
            scans,
            output,
            recipe,
            retry_failed=retry_failed,
            redo=_to_redo(marked),
            command=tuple(sys.argv[1:]),
            overriding=load_overriding(recipe_file, options),
        )
        if dry_run:
            return _list(order, as_json)
        finish.output = str(order.output)
        summary = _restore(order, as_json, quiet)
        finish.told(summary)
        if not quiet:
            _tell_missing(order, summary)
        if report and not summary.interrupted:
            write_html(order.output, None, quiet=quiet)
        elif summary.done and not (quiet or as_json):
            place = shlex.quote(printable(str(order.output)))
            click.echo(f"look at them: archive-colorize report {place} --serve")
    return exit_code_of(summary)


def _tell_missing(order: "Order", summary: "Summary") -> None:
    """Say how many of the marked files were not found, since a mistaken folder looks so."""
    looked_at = summary.done + summary.skipped + summary.failed + sum(summary.unchanged.values())
    missing = len(order.redo or ()) - looked_at
    if missing > 0 and not summary.interrupted:
        click.echo(f"{missing} of the marked files are not among the scans", err=True)


def _to_redo(marked: Path | None) -> frozenset[str] | None:
    if marked is None:
        return None
    from archive_colorizer.report.marks import read_marks

    names = frozenset(one.name for one in read_marks(marked) if one.mark == "redo")
    if not names:
        raise UsageError(f"{marked} marks nothing redo; mark something in the report first")
    return names


def _restore(order: "Order", as_json: bool, quiet: bool) -> "Summary":
    from archive_colorizer.cli.progress import progress, show_summary
    from archive_colorizer.pipeline import photos as pipeline

    expected = len(order.redo) if order.redo else pipeline.count_files(order.roots)
    with progress(quiet or as_json, expected) as audience:
        summary = pipeline.restore_archive(order, audience.watch, audience.tell)
    manifest = order.output / "manifest.jsonl"
    if as_json:
        said = {
            **dataclasses.asdict(summary),
            "output": str(order.output),
            "manifest": str(manifest),
        }
        click.echo(json.dumps(said))
    elif not quiet:
        show_summary(summary, str(manifest))
    return summary


def _list(order: "Order", as_json: bool) -> int:
    from archive_colorizer.pipeline import photos as pipeline
    from archive_colorizer.records.jobs import Job
    from archive_colorizer.run.plan import Settled

    counts: Counter[str] = Counter()
    for step in pipeline.list_steps(order):
        if isinstance(step, Job):
            word, name, why = "restore", step.source.name, str(order.output / step.target)
        else:
            outcome = step.outcome if isinstance(step, Settled) else step
            word = "unchanged" if isinstance(step, Settled) else str(outcome.state)
            name, why = outcome.name, outcome.message or outcome.reason or str(outcome.state)
        counts[word] += 1
        if not as_json:
            click.echo(f"{word:10} {printable(name)}: {printable(why)}")
    if as_json:
        click.echo(json.dumps({"dry_run": True, **counts}))
    else:
        click.echo(", ".join(f"{count} {word}" for word, count in counts.items()) or "nothing")
    return ExitCode.OK
