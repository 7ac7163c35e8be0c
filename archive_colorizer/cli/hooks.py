"""What is done at the end of a run: somebody is told, and figures are left for a monitor."""

import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import click

from archive_colorizer.cli import printable
from archive_colorizer.cli.options import PATH, together

if TYPE_CHECKING:
    from archive_colorizer.run.summary import Summary

finish_options: Final = together(
    click.option(
        "--on-finish",
        metavar="COMMAND|URL",
        help="Tell of the end: a command, without shell, with {summary}, {code}, {output} or "
        "{json} in its words and the JSON as input; or an address for the JSON by POST.",
    ),
    click.option(
        "--metrics",
        type=PATH,
        metavar="FILE.prom",
        help="Leave figures for node_exporter's textfile collector.",
    ),
)


class Finish:
    """Tells of the end of what is done inside of it, however it ends.

    output: where the run writes, once that is known.  A telling that fails is a warning on
    stderr and changes no exit code.
    """

    def __init__(self, on_finish: str | None, metrics: Path | None) -> None:
        """Raises UsageError for a command that cannot be one."""
        self.output = ""
        self._target = on_finish
        self._metrics = metrics
        if on_finish is not None:
            from archive_colorizer.run.notify import check_target

            check_target(on_finish)

    def told(self, ended: "Summary | BaseException") -> None:
        """Tell of one end, now."""
        if self._target is None and self._metrics is None:
            return
        from archive_colorizer.run.metrics import write_metrics
        from archive_colorizer.run.notify import notify
        from archive_colorizer.run.result import Ending

        ending = Ending.of(self.output, ended, time.time())
        warnings = []
        if self._metrics is not None:
            warnings.append(write_metrics(self._metrics, ending))
        if self._target is not None:
            warnings.append(notify(self._target, ending))
        for said in filter(None, warnings):
            click.echo(f"warning: {printable(said)}", err=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self.told(error)
