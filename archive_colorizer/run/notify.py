"""Tell a program or an address that a run has ended.  A failure to tell is only said."""

import json
import re
import shlex
import subprocess
import urllib.error
import urllib.request
from typing import Final

from archive_colorizer._version import __version__
from archive_colorizer.errors import UsageError
from archive_colorizer.run.result import Ending

_SECONDS: Final = 30.0
"""That the program or the address has."""
_PLACE: Final = re.compile(r"\{(summary|code|output|json)\}")


def check_target(target: str) -> None:
    """Raise UsageError for a target that `notify` could make nothing of."""
    if not _is_address(target):
        _words(target)


def notify(target: str, ending: Ending) -> str | None:
    """Tell `target`: a command line, or an address that begins with http:// or https://.

    The command is split into words as a shell would, but no shell runs it: in each word
    `{summary}` (a sentence), `{code}`, `{output}` and `{json}` are put in, and whatever they
    hold stays inside of that word.  The JSON is also its standard input, and what an address
    is sent by POST.  Returns what went wrong, for a warning.
    """
    said = json.dumps(ending.as_dict())
    try:
        if _is_address(target):
            return _post(target, said)
        return _call(_words(target), ending, said)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return f"nobody was told of the end of this run: {error}"


def _is_address(target: str) -> bool:
    return target.lower().startswith(("http://", "https://"))


def _words(target: str) -> list[str]:
    try:
        words = shlex.split(target)
    except ValueError as error:
        raise UsageError(f"--on-finish {target!r}: {error}; mind the quotes") from None
    if not words:
        raise UsageError("--on-finish needs a command or an address")
    return words


def _call(words: list[str], ending: Ending, said: str) -> str | None:
    known = {
        "summary": ending.sentence(),
        "code": str(int(ending.code)),
        "output": ending.output,
        "json": said,
    }
    filled = [_PLACE.sub(lambda found: known[found[1]], word) for word in words]
    ended = subprocess.run(  # noqa: S603 (the user's own command, and no shell)
        filled,
        input=said.encode(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=_SECONDS,
        check=False,
    )
    if ended.returncode == 0:
        return None
    why = ended.stderr.decode(errors="replace").strip()[-200:]
    return f"{words[0]} ended with {ended.returncode} and may have told nobody: {why}"


def _post(address: str, said: str) -> str | None:
    request = urllib.request.Request(  # noqa: S310 (http and https only, see _is_address)
        address,
        data=said.encode(),
        headers={
            "Content-Type": "application/json",
            "User-Agent": f"archive-colorizer/{__version__}",
        },
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=_SECONDS):  # noqa: S310
        return None
