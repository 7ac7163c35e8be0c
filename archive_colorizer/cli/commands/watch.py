"""`archive-colorize watch`: what comes into a folder is restored as it comes."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archive_colorizer.cli import printable
from archive_colorizer.cli.hooks import Finish, finish_options
from archive_colorizer.cli.options import (
    PATH,
    chosen,
    color_options,
    result_options,
    running_options,
    saying_options,
)
from archive_colorizer.errors import ExitCode, UsageError
from archive_colorizer.location import on_disk
from archive_colorizer.recipe.files import load_recipe
from archive_colorizer.recipe.overrides import load_overriding

if TYPE_CHECKING:
    from archive_colorizer.errors import ArchiveColorizerError
    from archive_colorizer.pipeline.watch import Listener
    from archive_colorizer.records.outcomes import Outcome
    from archive_colorizer.run.summary import Summary

_SECONDS = click.FloatRange(0.0)


@click.command(
    epilog="Example: archive-colorize watch ./inbox --output ./restored --settle 30 --workers 2"
)
@click.argument("folder", metavar="DIR", type=PATH)
@click.option("--output", type=PATH, help="Where results go.  [default: DIR-colorized]")
@click.option(
    "--settle",
    type=click.FloatRange(0.0, min_open=True),
    default=10.0,
    metavar="SECONDS",
    help="Leave files alone that changed since.  [default: 10]",
)
@click.option(
    "--poll",
    type=_SECONDS,
    default=0.0,
    metavar="SECONDS",
    help="Look this often, for network disks; 0: the system tells.  [default: 0]",
)
@click.option(
    "--linger",
    type=_SECONDS,
    default=60.0,
    metavar="SECONDS",
    help="Keep the worker processes for what comes soon after.  [default: 60]",
)
@color_options
@result_options
@running_options("one file", "color photographs")
@finish_options
@saying_options
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
    **given: object,
) -> int:
    """Restore what comes into DIR, until SIGTERM or Ctrl-C.

    Files that are still being copied wait until they have rested. Manifest, lock and results
    are those of `run`, which does the same once. With --json, a line for each run.
    """
    # Late, so that --help answers at once.
    from archive_colorizer.pipeline.request import place_order
    from archive_colorizer.pipeline.watch import Inbox, keep_watch

    with Finish(on_finish, metrics) as finish:
        options = chosen(given)
        recipe = load_recipe(recipe_file, options)
        order = place_order(
            [folder],
            output,
            recipe,
            retry_failed=retry_failed,
            command=tuple(sys.argv[1:]),
            overriding=load_overriding(recipe_file, options),
        )
        if not on_disk(order.roots[0]).is_dir():
            raise UsageError(f"{folder} is a file; watch a folder, or restore it with `run`")
        finish.output = str(order.output)
        inbox = Inbox(order=order, settle=settle, poll=poll, linger=linger)
        ended_by = keep_watch(inbox, _listener(finish, as_json, quiet))
    return 128 + ended_by if ended_by else ExitCode.OUT_OF_TIME


def _listener(finish: Finish, as_json: bool, quiet: bool) -> "Listener":
    """A line for each file and each run, as a log has them."""
    from archive_colorizer.pipeline.watch import Listener
    from archive_colorizer.run.summary import Summary

    def say(said: str) -> None:
        if not (quiet or as_json):
            click.echo(printable(said), err=True)

    def watch(outcome: "Outcome", settled: bool) -> None:
        if not settled:
            about = outcome.message or outcome.name if outcome.reason else outcome.name
            why = f" ({outcome.reason})" if outcome.reason else ""
            say(f"{outcome.state}{why}: {about}")

    def ended(how: "Summary | ArchiveColorizerError") -> None:
        if not isinstance(how, Summary):
            finish.told(how)
        elif how.done or how.adopted or how.skipped or how.failed:
            if as_json:
                click.echo(json.dumps(dataclasses.asdict(how)))
            say(f"{how.done} restored, {how.failed} failed, {how.skipped} skipped")
            finish.told(how)

    return Listener(watch=watch, tell=say, ended=ended)
