"""Figures of the last run, in the text format of Prometheus, for node_exporter to collect."""

import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from archive_colorizer.run.result import Ending

_PREFIX = "archive_colorizer"


def write_metrics(path: Path, ending: Ending) -> str | None:
    """Replace the file, whole or not at all; returns what went wrong, for a warning.

    The temporary file does not end in `.prom`, so that a collector never reads half of one.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        temporary.write_text(as_text(ending), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        return f"cannot write {path}: {error.strerror or error}; the figures there are old"
    return None


def as_text(ending: Ending) -> str:
    """The figures of a run; of one that ended by an error only when and how."""
    return "\n".join([*_lines(ending), ""])


def _lines(ending: Ending) -> Iterator[str]:
    yield from _family(ending, "last_run_timestamp_seconds", "When it ended.", ending.finished)
    yield from _family(ending, "last_run_exit_code", "What it ended with.", int(ending.code))
    summary = ending.summary
    if summary is None:
        return
    yield from _family(ending, "last_run_seconds", "How long it took.", summary.seconds)
    states = {
        "restored": summary.done,
        "adopted": summary.adopted,
        "skipped": summary.skipped,
        "failed": summary.failed,
        "unchanged": sum(summary.unchanged.values()),
    }
    name = f"{_PREFIX}_last_run_files"
    yield from _head(name, "Files by what became of them in it.")
    for state, count in states.items():
        yield f"{name}{_labels(ending, state=state)} {count}"
    name = f"{_PREFIX}_failures"
    yield from _head(name, "Failures that stand, of this run and earlier ones, by reason.")
    for reason, count in summary.failures.items():
        yield f"{name}{_labels(ending, reason=reason)} {count}"


def _family(ending: Ending, name: str, said: str, value: float) -> Iterator[str]:
    yield from _head(f"{_PREFIX}_{name}", said)
    yield f"{_PREFIX}_{name}{_labels(ending)} {value!r}"


def _head(name: str, said: str) -> Iterator[str]:
    yield f"# HELP {name} {said}"
    yield f"# TYPE {name} gauge"


def _labels(ending: Ending, **more: str) -> str:
    pairs = {"output": ending.output, **more}
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs.items()) + "}"


def _escaped(value: str) -> str:
    whole = value.encode("utf-8", "backslashreplace").decode("utf-8")
    return whole.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
