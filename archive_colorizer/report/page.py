"""The page of a report: one HTML file with its data, style and script inside.

Everything that comes from files and names is in one block of JSON, in which no markup can
begin or end.  The script puts it on the page as text only; the policy lets nothing else run.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from importlib.resources import files
from typing import BinaryIO, Final

from archive_colorizer.manifest.reader import Account, Entry
from archive_colorizer.records.outcomes import Provenance
from archive_colorizer.report.files import OPENING
from archive_colorizer.report.thumbs import Pair

ON_DISK: Final = b"connect-src 'none'"
"""The part of the policy that keeps a page from talking to anybody."""

_POLICY: Final = (
    "default-src 'none'; img-src 'self'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; "
    "connect-src 'none'; base-uri 'none'; form-action 'none'"
)


def write_page(
    stream: BinaryIO, account: Account, pictures: Iterable[tuple[Entry, Pair]], title: str
) -> None:
    """Write the page of `account`, entry by entry, so that memory does not grow with it."""
    style, script, body = (_part(name) for name in ("page.css", "page.js", "page.html"))
    policy = _POLICY.format(style=_hash(style), script=_hash(script))
    stream.write(OPENING)
    stream.write(
        f'<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="referrer" content="no-referrer">\n'
        f"<title>Report of archive-colorizer</title>\n<style>{style}</style></head>\n"
        f'<body>{body}\n<script type="application/json" id="data">'.encode()
    )
    for piece in _data(account, pictures, title):
        stream.write(piece)
    stream.write(f"</script>\n<script>{script}</script></body></html>\n".encode())


def in_markup(value: object) -> bytes:
    """JSON, ASCII, that can stand inside a script element: no `<`, `>` or `&` in it."""
    text = json.dumps(value, separators=(",", ":"))
    for one in "<>&":
        text = text.replace(one, f"\\u{ord(one):04x}")
    return text.encode("ascii")


def _data(account: Account, pictures: Iterable[tuple[Entry, Pair]], title: str) -> Iterator[bytes]:
    at = {run.run: number for number, run in enumerate(account.runs)}
    runs = [_run(run) for run in account.runs]
    yield b'{"title":' + in_markup(title) + b',"runs":' + in_markup(runs) + b',"files":[\n'
    before = b""
    for entry, pair in pictures:
        yield before + in_markup(_file(entry, pair, at))
        before = b",\n"
    yield b"\n]}"


def _run(run: Provenance) -> dict[str, object]:
    names = ("run", "started", "version", "model", "model_sha256", "model_licence", "recipe")
    return {name: getattr(run, name) for name in names}


def _file(entry: Entry, pair: Pair, runs: dict[str, int]) -> dict[str, object]:
    """What the page knows of one file; what is empty is left out."""
    outcome = entry.outcome
    known = {
        "name": outcome.name,
        "state": str(outcome.state),
        "reason": outcome.reason,
        "message": outcome.message,
        "warnings": outcome.warnings,
        "weak": outcome.weak,
        "measures": asdict(outcome.measures) if outcome.measures else None,
        "target": outcome.target,
        "width": outcome.width,
        "height": outcome.height,
        "overrides": outcome.own.names if outcome.own else None,
        "own": outcome.own.settings if outcome.own else None,
        "source_sha256": outcome.source_sha256,
        "target_sha256": outcome.target_sha256,
        "provider": outcome.provider,
        "run": runs.get(entry.run.run) if entry.run else None,
        "before": pair.before,
        "after": pair.after,
        "why": pair.why,
    }
    return {name: value for name, value in known.items() if value not in (None, ())}


def _part(name: str) -> str:
    # As the browser reads it: hashes are of the text after newlines are made one.
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
