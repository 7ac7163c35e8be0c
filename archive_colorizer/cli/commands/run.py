"""`archive-colorize run`: restore photographs."""

import dataclasses
import json
import shlex
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archive_colorizer.cli import options
from archive_colorizer.cli.commands.report import write_html
from archive_colorizer.cli.help_groups import GroupedCommand
from archive_colorizer.cli.hooks import FinishHooks, finish_options
from archive_colorizer.cli.options import LOCATION, PATH, make_option
from archive_colorizer.cli.terminal import make_printable, print_line
from archive_colorizer.errors import ExitCode, UsageError
from archive_colorizer.location import Location, require_path

if TYPE_CHECKING:
    from archive_colorizer.pipeline.request import RestoreRequest
    from archive_colorizer.run.summary import Summary


@click.command(
    cls=GroupedCommand,
    first="output preset strength saturation reference model device grid report dry-run",
    epilog="Example: archive-colorize run ./scans --output ./restored --strength 0.8",
)
@click.argument("scans", nargs=-1, required=True, type=LOCATION)
@make_option("--output", "Write results to this folder.", "SCANS-colorized", type=LOCATION)
@options.color_options
@options.result_options
@options.build_running_options("one file", "color photographs")
@make_option("--retry marked", "Restore only files that this file marks redo.", type=PATH)
@make_option("--report", "Write the HTML report at the end: OUT-report.", is_flag=True)
@make_option(
    "--grid",
    "Write only a contact sheet, as saturation=0.8,1,1.2; repeat for rows.",
    multiple=True,
    metavar="SETTING=A,B,...",
)
@make_option("--dry-run", "List what would be done; write nothing.", is_flag=True)
@finish_options
@options.message_options
def command(
    scans: tuple[Location, ...],
    output: Location | None,
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
    **settings: object,
) -> int:
    """Give the photographs below SCANS their color back.

    Originals are only read. Results keep their name, format, depth and metadata, and
    manifest.jsonl in the output accounts for every file. The same command again restores only
    what is missing or has changed.
    """
    from archive_colorizer.cli.progress import report_end

    if grid:
        sheet = None if output is None else require_path(output)
        words = tuple(map(require_path, scans))
        return _write_grid(words, grid, sheet, recipe_file, options.collect_chosen(settings))
    with FinishHooks(None, None) if dry_run else FinishHooks(on_finish, metrics) as hooks:
        redo = _read_redo_names(marked)
        more = {"retry_failed": retry_failed, "redo": redo}
        request = options.build_request(scans, output, recipe_file, settings, **more)
        if dry_run:
            return _list_steps(request, as_json)
        hooks.output = str(request.output)
        summary = _restore(request, as_json, quiet)
        hooks.run(summary)
        if not quiet:
            _warn_missing(request, summary)
        if report and not summary.interrupted:
            write_html(request.output, None, quiet=quiet)
        elif summary.done and not (quiet or as_json):
            path = shlex.quote(make_printable(str(request.output)))
            click.echo(f"look at them: archive-colorize report {path} --serve")
    return report_end(summary)


def _warn_missing(request: "RestoreRequest", summary: "Summary") -> None:
    """Warn of marked files that were not found, since the folder may be the wrong one."""
    total = summary.done + summary.skipped + summary.failed + sum(summary.unchanged.values())
    missing = len(request.redo or ()) - total
    if missing > 0 and not summary.interrupted:
        click.echo(f"{missing} of the marked files are not among the scans", err=True)


def _read_redo_names(marked: Path | None) -> frozenset[str] | None:
    if marked is None:
        return None
    from archive_colorizer.report.marks import read_marks

    names = frozenset(mark.name for mark in read_marks(marked) if mark.verdict == "redo")
    if not names:
        raise UsageError(f"{marked} marks no file redo; mark one in the report first")
    return names


def _restore(request: "RestoreRequest", as_json: bool, quiet: bool) -> "Summary":
    from archive_colorizer.cli.progress import show_progress, show_summary
    from archive_colorizer.pipeline import photos as pipeline

    total = len(request.redo) if request.redo else pipeline.count_files(request.roots)
    with show_progress(quiet or as_json, total) as view:
        summary = pipeline.restore_archive(request, view.show_outcome, view.show_message)
    manifest = request.output / "manifest.jsonl"
    if as_json:
        paths = {"output": str(request.output), "manifest": str(manifest)}
        click.echo(json.dumps({**dataclasses.asdict(summary), **paths}))
    elif not quiet:
        show_summary(summary, str(manifest))
    return summary


def _list_steps(request: "RestoreRequest", as_json: bool) -> int:
    from archive_colorizer.pipeline import photos as pipeline
    from archive_colorizer.records.jobs import Job
    from archive_colorizer.run.plan import Unchanged

    counts: Counter[str] = Counter()
    for step in pipeline.list_steps(request):
        if isinstance(step, Job):
            status, name, detail = "restore", step.source.name, str(request.output / step.target)
        else:
            outcome = step.outcome if isinstance(step, Unchanged) else step
            status = "unchanged" if isinstance(step, Unchanged) else str(outcome.state)
            name, detail = outcome.name, outcome.message or outcome.reason or str(outcome.state)
        counts[status] += 1
        if not as_json:
            print_line(f"{status:10} {name}: {detail}")
    if as_json:
        click.echo(json.dumps({"dry_run": True, **counts}))
    else:
        click.echo(", ".join(f"{count} {word}" for word, count in counts.items()) or "nothing")
    return ExitCode.OK


def _write_grid(
    words: tuple[Path, ...],
    grid: tuple[str, ...],
    output: Path | None,
    recipe_file: Path | None,
    options: Mapping[str, object],
) -> int:
    """Write the contact sheet for the axes in `grid`, and for those among `words`.

    --grid takes one axis; further ones may follow it as arguments.
    """
    from archive_colorizer.pipeline.settings_grid import Axis, write_grid

    axes = [axis for text in grid for axis in text.split()]
    axes += [str(word) for word in words if _is_axis(word)]
    photos = [word for word in words if not _is_axis(word)]
    if len(photos) != 1:
        raise UsageError("--grid shows one photograph; name one file")
    if output is None:
        raise UsageError("--grid needs an --output FILE.png for its sheet")
    count = write_grid(photos[0], [*map(Axis.parse, axes)], output, recipe_file, options)
    print_line(f"{count} pictures: {output}")
    return ExitCode.OK


def _is_axis(word: Path) -> bool:
    return "=" in word.name and not word.exists()
