"""A manifest with everything in it that makes exports stumble."""

from pathlib import Path

from archive_colorizer.manifest.reader import ManifestReader
from archive_colorizer.records.jobs import Stamp
from archive_colorizer.records.json_lines import to_line
from archive_colorizer.records.outcomes import Outcome, Provenance, State

EVIL_NAMES = (
    "=cmd|' /C calc'!A0.png",
    "+1.png",
    "-2.png",
    "@sum.png",
    "\ttab.png",
    "<b>&amp;]]>.png",
    "gnp.\u202eexe.png",
    "two\nlines.png",
    "b\udcffd.png",
    'comma, "quote".png',
)
MODEL = "a" * 64


def opening(**changed: object) -> Provenance:
    known: dict[str, object] = {
        "run": "20260102T030405Z-0a1b2c3d",
        "started": "2026-01-02T03:04:05+00:00",
        "version": "0.1.0",
        "command": ("run", "scans"),
        "host": "here",
        "roots": ("/scans",),
        "recipe": {"strength": 0.5, "mark": "none"},
        "settings": "5" * 64,
        "model": "constant",
        "model_sha256": MODEL,
        "model_licence": "Apache-2.0",
        "provider": "CPUExecutionProvider",
        "libraries": {"numpy": "2"},
    }
    return Provenance(**{**known, **changed})  # type: ignore[arg-type]


def done(name: str, **changed: object) -> Outcome:
    known: dict[str, object] = {
        "key": name.encode("utf-8", "surrogateescape").hex(),
        "name": name,
        "state": State.DONE,
        "source_stamp": Stamp(100, 1, 1, 1),
        "source_sha256": "1" * 64,
        "target": name,
        "target_stamp": Stamp(200, 1_767_323_045_000_000_000, 1, 2),
        "target_sha256": "2" * 64,
        "model_sha256": MODEL,
        "settings": "5" * 64,
        "provider": "CPUExecutionProvider",
        "width": 30,
        "height": 20,
        "seconds": 0.25,
    }
    return Outcome(**{**known, **changed})  # type: ignore[arg-type]


def failed(name: str) -> Outcome:
    return Outcome(
        key=name,
        name=name,
        state=State.FAILED,
        reason="damaged",
        message=f"{name} is cut <here> & there",
        source_stamp=Stamp(9, 1, 1, 3),
        model_sha256=MODEL,
        settings="5" * 64,
    )


def skipped(name: str) -> Outcome:
    said = f"{name} is no picture"
    return Outcome(key=name, name=name, state=State.SKIPPED, reason="not-a-picture", message=said)


def written(folder: Path, *records: Outcome | Provenance) -> ManifestReader:
    (folder / "manifest.jsonl").write_bytes(b"".join(map(to_line, records)))
    return ManifestReader.open(folder)


def evil(folder: Path) -> ManifestReader:
    """All hostile names done, one failure, one skip, one result of no known run."""
    unknown = done("orphan.tif", settings="9" * 64, warnings=("one", "two"))
    everything = [done(name) for name in EVIL_NAMES]
    return written(folder, opening(), *everything, failed("cut.jpg"), skipped("notes.txt"), unknown)
