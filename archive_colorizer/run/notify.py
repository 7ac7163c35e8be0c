"""Notify a program or a URL that a run has ended."""

import json
import re
import shlex
import subprocess
import threading
import urllib.request
from http.client import HTTPException
from typing import Final
from urllib.parse import urlsplit

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
    except subprocess.TimeoutExpired:
        # Its own words hold the command, which may hold a password.
        why = f"the command did not end within {_TIMEOUT:.0f} seconds"
    except (OSError, ValueError) as error:
        why = str(error)
    return f"the notification of the end of this run failed: {why}"


def redact_target(target: str) -> str:
    """Return what may be recorded of a target, whose path or words are often a password."""
    try:
        if _is_url(target):
            parts = urlsplit(target)
            return f"{parts.scheme}://{parts.hostname or ''}/..."
        program, *words = _split_command(target)
    except (ValueError, UsageError):
        return "..."
    return f"{program} ..." if words else program


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
    """POST within the time, also where the answer comes byte by byte; raises OSError."""
    errors: list[OSError] = []

    def send() -> None:
        # The URL begins with http or https, see `_is_url`.
        try:
            request = urllib.request.Request(url, payload.encode(), method="POST")  # noqa: S310
            request.add_header("Content-Type", "application/json")
            request.add_header("User-Agent", f"archive-colorizer/{__version__}")
            with urllib.request.urlopen(request, timeout=_TIMEOUT):  # noqa: S310
                return
        except OSError as error:
            errors.append(error)
        except (HTTPException, ValueError) as error:
            # Its own words may hold the address.
            errors.append(OSError(f"an invalid address or answer ({type(error).__name__})"))

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    sender.join(_TIMEOUT)
    if sender.is_alive():
        raise TimeoutError(f"the server did not answer within {_TIMEOUT:.0f} seconds")
    if errors:
        raise errors[0]
    return None
