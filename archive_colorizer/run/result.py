"""Describe how a run ended, as a sentence and as JSON."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from archive_colorizer.errors import ArchiveColorizerError, ExitCode
from archive_colorizer.records.text import escape_surrogates, escape_unprintable
from archive_colorizer.run.summary import Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How a run ended.

    output: its folder, empty if the run ended before that was known.  code: the exit code.
    summary: set if the run came to its end; message: of the error that ended it otherwise.
    finished: seconds since 1970.
    """

    output: str
    code: int
    finished: float
    summary: Summary | None = None
    message: str = ""

    @classmethod
    def from_end(cls, output: str, end: Summary | BaseException, now: float) -> "RunResult":
        """Build the result from the summary that a run returned, or from what it raised."""
        if isinstance(end, Summary):
            return cls(output=output, code=end.exit_code, finished=now, summary=end)
        if isinstance(end, ArchiveColorizerError):
            return cls(output=output, code=end.exit_code, finished=now, message=str(end))
        interrupted = isinstance(end, KeyboardInterrupt)
        code = ExitCode.INTERRUPTED if interrupted else ExitCode.BUG
        message = "interrupted" if interrupted else f"a bug: {type(end).__name__}"
        return cls(output=output, code=code, finished=now, message=message)

    def describe(self) -> str:
        """Return one line for people, without control characters."""
        if self.summary is None:
            detail = self.message
        else:
            counts = [f"{self.summary.done} restored", f"{self.summary.failed} failed"]
            if self.summary.skipped:
                counts.append(f"{self.summary.skipped} skipped")
            total_failures = sum(self.summary.failures.values())
            if total_failures > self.summary.failed:
                counts.append(f"failures in all: {total_failures}")
            detail = ", ".join(counts)
        line = f"archive-colorize ended with {self.code}: {detail} ({self.output or '-'})"
        return escape_unprintable(line)

    def to_dict(self) -> dict[str, object]:
        """Return the result for JSON; names that are not Unicode are escaped."""
        when = datetime.fromtimestamp(self.finished, UTC).isoformat(timespec="seconds")
        record: dict[str, object] = {
            "exit_code": int(self.code),
            "finished": when,
            "output": escape_surrogates(self.output),
            "message": escape_surrogates(self.message),
            "summary": None,
        }
        if self.summary is not None:
            first_failures = [
                {key: escape_surrogates(str(value)) for key, value in asdict(failure).items()}
                for failure in self.summary.first_failures
            ]
            record["summary"] = {**asdict(self.summary), "first_failures": first_failures}
        return record
