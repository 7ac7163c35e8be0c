"""`archive-colorize watch`: restore the files that arrive in a folder."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archive_colorizer.cli import options
from archive_colorizer.cli.help_groups import GroupedCommand
from archive_colorizer.cli.hooks import FinishHooks, finish_options
from archive_colorizer.cli.options import PATH, make_option
from archive_colorizer.cli.terminal import print_line
from archive_colorizer.errors import ExitCode, UsageError
from archive_colorizer.location import require_path

if TYPE_CHECKING:
    from archive_colorizer.errors import ArchiveColorizerError
    from archive_colorizer.pipeline.watch import WatchCallbacks
    from archive_colorizer.records.outcomes import Outcome
    from archive_colorizer.run.summary import Summary

_SECONDS: dict[str, Any] = {"type": click.FloatRange(0.0), "metavar": "SECONDS"}


@click.command(
    cls=GroupedCommand,
    first="output settle poll preset strength saturation model device workers on-finish",
    epilog="Example: archive-colorize watch ./inbox --output ./restored --settle 30 --workers 2",
)
@click.argument("folder", metavar="DIR", type=PATH)
@make_option("--output", "Write results to this folder.", "DIR-colorized", type=PATH)
@make_option(
    "--settle",
    "Wait until a file stays the same this long.",
    10,
    type=click.FloatRange(0.0, min_open=True),
    default=10.0,
    metavar="SECONDS",
)
@make_option(
    "--poll", "Look this often, for network disks; 0: use events.", 0, default=0.0, **_SECONDS
)
@make_option("--linger", "Keep idle worker processes this long.", 60, default=60.0, **_SECONDS)
@options.color_options
@options.result_options
@options.build_running_options("one file", "color photographs")
@finish_options
@options.message_options
def command(
    folder: Path,
    output: Path | None,
    settle: float,
    poll: float,
    linger: float,
    recipe_file: Path | None,
    retry_failed: bool,
    on_finish: str | None,
    metrics: Path | None,
    as_json: bool,
    quiet: bool,
    **settings: object,
) -> int:
    """Restore the files that arrive in DIR, until SIGTERM or Ctrl-C.

    A file that is still being copied waits until it stays the same. Manifest, lock and results
    are those of `run`, which does the same once. --json prints a line for each run.
    """
    from archive_colorizer.pipeline.watch import WatchRequest, watch_folder

    with FinishHooks(on_finish, metrics) as hooks:
        request = options.build_request(
            [folder], output, recipe_file, settings, retry_failed=retry_failed
        )
        if not require_path(request.roots[0]).is_dir():
            raise UsageError(f"{folder} is a file; watch a folder, or restore it with `run`")
        hooks.output = str(request.output)
        inbox = WatchRequest(run=request, settle=settle, poll=poll, linger=linger)
        stop_signal = watch_folder(inbox, _build_listener(hooks, as_json, quiet))
    return 128 + stop_signal if stop_signal else ExitCode.OUT_OF_TIME


def _build_listener(hooks: FinishHooks, as_json: bool, quiet: bool) -> "WatchCallbacks":
    """Build callbacks that print a line for each file and each run."""
    from archive_colorizer.pipeline.watch import WatchCallbacks
    from archive_colorizer.run.summary import Summary

    def show(message: str) -> None:
        if not (quiet or as_json):
            print_line(message, err=True)

    def show_outcome(outcome: "Outcome", is_unchanged: bool) -> None:
        if not is_unchanged:
            subject = outcome.message or outcome.name if outcome.reason else outcome.name
            reason = f" ({outcome.reason})" if outcome.reason else ""
            show(f"{outcome.state}{reason}: {subject}")

    def finish_run(result: "Summary | ArchiveColorizerError") -> None:
        if not isinstance(result, Summary):
            hooks.run(result)
        elif result.done or result.adopted or result.skipped or result.failed:
            if as_json:
                click.echo(json.dumps(dataclasses.asdict(result)))
            show(f"{result.done} restored, {result.failed} failed, {result.skipped} skipped")
            hooks.run(result)

    return WatchCallbacks(on_outcome=show_outcome, notify=show, on_run_end=finish_run)
