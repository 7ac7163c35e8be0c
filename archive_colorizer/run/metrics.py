"""Write figures of the last run in the text format of Prometheus, for node_exporter."""

import secrets
from contextlib import suppress
from pathlib import Path

from archive_colorizer.records.text import escape_surrogates
from archive_colorizer.run.result import RunResult

_PREFIX = "archive_colorizer"


def write_metrics(path: Path, result: RunResult) -> str | None:
    """Replace the file atomically, and return a warning if that fails."""
    # A collector ignores names that do not end in .prom.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        temporary.write_text(_format_metrics(result), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        return f"cannot write {path}: {error.strerror or error}; the figures there are old"
    return None


def _format_metrics(result: RunResult) -> str:
    """Format the figures of a run; if it raised an error, only the time and exit code."""
    metrics = [
        _format_metric(result, "last_run_timestamp_seconds", "When it ended.", result.finished),
        _format_metric(result, "last_run_exit_code", "What it ended with.", int(result.code)),
    ]
    if result.summary is not None:
        summary = result.summary
        files = {
            "restored": summary.done,
            "adopted": summary.adopted,
            "skipped": summary.skipped,
            "failed": summary.failed,
            "unchanged": sum(summary.unchanged.values()),
        }
        help_text = "Failures that stand, of this run and earlier ones, by reason."
        metrics += [
            _format_metric(result, "last_run_seconds", "How long it took.", summary.seconds),
            _format_metric(
                result, "last_run_files", "Files by what became of them in it.", files, "state"
            ),
            _format_metric(result, "failures", help_text, summary.failures, "reason"),
        ]
    return "".join(metrics)


def _format_metric(
    result: RunResult, name: str, help_text: str, value: float | dict[str, int], label: str = ""
) -> str:
    lines = [f"# HELP {_PREFIX}_{name} {help_text}", f"# TYPE {_PREFIX}_{name} gauge"]
    for key, number in (value if isinstance(value, dict) else {"": value}).items():
        labels = f'output="{_escape(result.output)}"' + (
            f',{label}="{_escape(key)}"' if label else ""
        )
        lines.append(f"{_PREFIX}_{name}{{{labels}}} {number!r}")
    return "".join(f"{line}\n" for line in lines)


def _escape(value: str) -> str:
    text = escape_surrogates(value)
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
