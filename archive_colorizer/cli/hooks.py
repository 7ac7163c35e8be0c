"""Send the completion notification and write metrics when a run ends."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from archive_colorizer.cli.options import PATH, combine_options, make_option
from archive_colorizer.cli.terminal import print_line

if TYPE_CHECKING:
    from archive_colorizer.run.summary import Summary

finish_options: Final = combine_options(
    make_option(
        "--on-finish",
        "Run a command at the end, without a shell, with {summary}, {code}, {output} or {json} "
        "in its words and the JSON as its input; or POST the JSON to a URL.",
        metavar="COMMAND|URL",
    ),
    make_option(
        "--metrics",
        "Write metrics for node_exporter's textfile collector.",
        type=PATH,
        metavar="FILE.prom",
    ),
)


class FinishHooks:
    """Context manager that runs the hooks when an error ends the run.

    output: where the run writes, as soon as it is known.  A hook that fails is a warning on
    stderr and leaves the exit code as it is.
    """

    def __init__(self, on_finish: str | None, metrics: Path | None) -> None:
        """Raises UsageError for a command that cannot be run."""
        self.output = ""
        self._target = on_finish
        self._metrics = metrics
        if on_finish is not None:
            from archive_colorizer.run.notify import check_target

            check_target(on_finish)

    def run(self, result: "Summary | BaseException") -> None:
        """Run the hooks for one result."""
        if self._target is None and self._metrics is None:
            return
        from archive_colorizer.run.metrics import write_metrics
        from archive_colorizer.run.notify import notify
        from archive_colorizer.run.result import RunResult

        run_result = RunResult.from_end(self.output, result, time.time())
        warnings = []
        if self._metrics is not None:
            warnings.append(write_metrics(self._metrics, run_result))
        if self._target is not None:
            warnings.append(notify(self._target, run_result))
        for warning in filter(None, warnings):
            print_line(f"warning: {warning}", err=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if error is not None:
            self.run(error)
