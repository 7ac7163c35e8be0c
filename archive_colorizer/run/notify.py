"""Notify a program or a URL that a run has ended."""

import json
import re
import shlex
import subprocess
import urllib.error
import urllib.request
from typing import Final

from archive_colorizer._version import __version__
from archive_colorizer.errors import UsageError
from archive_colorizer.run.result import RunResult

_TIMEOUT: Final = 30.0
"""Seconds for the program or the server."""
_PLACEHOLDER: Final = re.compile(r"\{(summary|code|output|json)\}")


def check_target(target: str) -> None:
    """Raise UsageError for a target that is neither a URL nor a valid command line."""
    if not _is_url(target):
        _split_command(target)


def notify(target: str, result: RunResult) -> str | None:
    """Run the command line `target`, or POST to the http:// or https:// URL `target`.

    The command is split into words like in a shell, but no shell runs it: `{summary}` (a
    sentence), `{code}`, `{output}` and `{json}` are replaced within each word.  The JSON is also
    the standard input of the command, and the body of the POST request.  Returns a warning if
    the notification fails.
    """
    payload = json.dumps(result.to_dict())
    try:
        if _is_url(target):
            return _post(target, payload)
        return _run_command(_split_command(target), result, payload)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return f"the notification of the end of this run failed: {error}"


def _is_url(target: str) -> bool:
    return target.lower().startswith(("http://", "https://"))


def _split_command(target: str) -> list[str]:
    try:
        words = shlex.split(target)
    except ValueError as error:
        raise UsageError(f"--on-finish {target!r}: {error}; mind the quotes") from None
    if not words:
        raise UsageError("--on-finish needs a command or an address")
    return words


def _run_command(words: list[str], result: RunResult, payload: str) -> str | None:
    values = {
        "summary": result.describe(),
        "code": str(int(result.code)),
        "output": result.output,
        "json": payload,
    }
    command = [_PLACEHOLDER.sub(lambda match: values[match[1]], word) for word in words]
    completed = subprocess.run(  # noqa: S603 (the user's own command, and no shell)
        command,
        input=payload.encode(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=_TIMEOUT,
        check=False,
    )
    if completed.returncode == 0:
        return None
    stderr = completed.stderr.decode(errors="replace").strip()[-200:]
    return f"{words[0]} ended with {completed.returncode} so the notification may be lost: {stderr}"


def _post(url: str, payload: str) -> str | None:
    # The URL begins with http or https, see `_is_url`.
    request = urllib.request.Request(url, payload.encode(), method="POST")  # noqa: S310
    request.add_header("Content-Type", "application/json")
    request.add_header("User-Agent", f"archive-colorizer/{__version__}")
    with urllib.request.urlopen(request, timeout=_TIMEOUT):  # noqa: S310
        return None
