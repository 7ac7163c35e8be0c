"""Write the page of a report: one HTML file with its data, style and script inside.

Everything that comes from files and names is in one block of JSON, in which no markup can
begin or end.  The script shows it as text only, and the policy lets nothing else run.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from importlib.resources import files
from typing import BinaryIO, Final, TypeAlias

from archive_colorizer.manifest.reader import ManifestEntry, ManifestReader
from archive_colorizer.records.outcomes import Outcome
from archive_colorizer.report.thumbs import ThumbnailPair

PAGE: Final = "index.html"
PAGE_START: Final = b"<!DOCTYPE html>\n<!-- archive-colorizer report -->\n"
"""The start of each page, which identifies a folder as a report."""
NO_CONNECTIONS: Final = b"connect-src 'none'"
"""The part of the policy that forbids connections."""

_POLICY: Final = (
    "default-src 'none'; img-src 'self'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; "
    "connect-src 'none'; base-uri 'none'; form-action 'none'"
)

_RUN_KEYS: Final = "run started version model model_sha256 model_licence recipe".split()
_FILE_KEYS: Final = (
    "name state reason message warnings weak measures target width height overrides own "
    "source_sha256 target_sha256 provider run"
).split()

Pictures: TypeAlias = Iterable[tuple[ManifestEntry, ThumbnailPair]]


def write_page(stream: BinaryIO, manifest: ManifestReader, pictures: Pictures, title: str) -> None:
    """Write the page entry by entry, so that memory does not grow with the manifest."""
    style, script, body = (_read_part(name) for name in ("page.css", "page.js", "page.html"))
    policy = _POLICY.format(style=_hash_text(style), script=_hash_text(script))
    stream.write(PAGE_START)
    stream.write(
        f'<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="referrer" content="no-referrer">\n'
        f"<title>Report of archive-colorizer</title>\n<style>{style}</style></head>\n"
        f'<body>{body}\n<script type="application/json" id="data">'.encode()
    )
    for piece in _iter_data(manifest, pictures, title):
        stream.write(piece)
    stream.write(f"</script>\n<script>{script}</script></body></html>\n".encode())


def _dump_json(value: object) -> bytes:
    """Dump ASCII JSON without `<`, `>` and `&`, for use inside a script element."""
    text = json.dumps(value, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode("ascii")


def _iter_data(manifest: ManifestReader, pictures: Pictures, title: str) -> Iterator[bytes]:
    run_numbers = {run.run: number for number, run in enumerate(manifest.runs)}
    runs = [{name: getattr(run, name) for name in _RUN_KEYS} for run in manifest.runs]
    yield b'{"title":' + _dump_json(title) + b',"runs":' + _dump_json(runs) + b',"files":[\n'
    separator = b""
    for entry, pair in pictures:
        number = run_numbers.get(entry.run.run) if entry.run else None
        facts = _describe_file(entry.outcome, number) | asdict(pair)
        yield separator + _dump_json(
            {name: value for name, value in facts.items() if value not in (None, ())}
        )
        separator = b",\n"
    yield b"\n]}"


def _describe_file(outcome: Outcome, run_number: int | None) -> dict[str, object]:
    facts = {name: getattr(outcome, name, None) for name in _FILE_KEYS}
    return facts | {
        "state": str(outcome.state),
        "measures": asdict(outcome.measures) if outcome.measures else None,
        "overrides": outcome.own.names if outcome.own else None,
        "own": outcome.own.settings if outcome.own else None,
        "run": run_number,
    }


def _read_part(name: str) -> str:
    # Hashes are of the text as a browser reads it, with newlines normalized.
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash_text(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
