"""Ending: how a run ended, for whoever is told of it."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from archive_colorizer.errors import ArchiveColorizerError, ExitCode
from archive_colorizer.run.summary import Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a run ended.

    output: its folder, empty when the run ended before that was known.  code: the exit code.
    summary: of a run that came to its end.  message: of the error that ended it otherwise.
    finished: seconds since 1970.
    """

    output: str
    code: int
    finished: float
    summary: Summary | None = None
    message: str = ""

    @classmethod
    def of(cls, output: str, ended: Summary | BaseException, now: float) -> "Ending":
        """From what a run returned or raised."""
        if isinstance(ended, Summary):
            return cls(output=output, code=ended.exit_code, finished=now, summary=ended)
        if isinstance(ended, ArchiveColorizerError):
            return cls(output=output, code=ended.exit_code, finished=now, message=str(ended))
        interrupted = isinstance(ended, KeyboardInterrupt)
        code = ExitCode.INTERRUPTED if interrupted else ExitCode.BUG
        message = "interrupted" if interrupted else f"a bug: {type(ended).__name__}"
        return cls(output=output, code=code, finished=now, message=message)

    def sentence(self) -> str:
        """One line for people, with nothing in it that a terminal or mail would obey."""
        if self.summary is None:
            said = self.message
        else:
            counts = [f"{self.summary.done} restored", f"{self.summary.failed} failed"]
            if self.summary.skipped:
                counts.append(f"{self.summary.skipped} skipped")
            standing = sum(self.summary.failures.values())
            if standing > self.summary.failed:
                counts.append(f"failures in all: {standing}")
            said = ", ".join(counts)
        return _plain(f"archive-colorize ended with {self.code}: {said} ({self.output or '-'})")

    def as_dict(self) -> dict[str, object]:
        """For JSON; names that are no Unicode are escaped."""
        when = datetime.fromtimestamp(self.finished, UTC).isoformat(timespec="seconds")
        found: dict[str, object] = {
            "exit_code": int(self.code),
            "finished": when,
            "output": _whole(self.output),
            "message": _whole(self.message),
            "summary": None,
        }
        if self.summary is not None:
            first = [
                {key: _whole(str(value)) for key, value in asdict(one).items()}
                for one in self.summary.first_failures
            ]
            found["summary"] = {**asdict(self.summary), "first_failures": first}
        return found


def _whole(text: str) -> str:
    """Text that UTF-8 can carry."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _plain(text: str) -> str:
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
