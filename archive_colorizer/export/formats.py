"""List the formats that a manifest is exported to, and write one to a file."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from archive_colorizer.errors import TargetExists
from archive_colorizer.export.premis import write_premis
from archive_colorizer.export.table import write_csv, write_json, write_parquet
from archive_colorizer.manifest.reader import ManifestReader
from archive_colorizer.storage.atomic import write_atomically

Exporter: TypeAlias = Callable[[ManifestReader, BinaryIO], None]

EXPORTS: Final[dict[str, Exporter]] = {
    "json": write_json,
    "csv": write_csv,
    "parquet": write_parquet,
    "premis": write_premis,
}


@dataclass(slots=True)
class _Overview:
    """Counts of files by state and reason, of files with warnings, and of weak results.

    weak: how many results are weak in each measure.
    """

    states: Counter[tuple[str, str]] = field(default_factory=Counter)
    weak: Counter[str] = field(default_factory=Counter)
    warnings: int = 0


def summarize(manifest: ManifestReader) -> _Overview:
    """Count the newest outcome of every file."""
    overview = _Overview()
    for entry in manifest.iterate_newest():
        overview.states[str(entry.outcome.state), entry.outcome.reason or ""] += 1
        overview.weak.update(entry.outcome.weak)
        overview.warnings += bool(entry.outcome.warnings)
    return overview


def export_to(path: Path, manifest: ManifestReader, exporter: Exporter) -> None:
    """Write a report to a new file, atomically.

    Raises TargetExists for an existing file, which could be an original, and OutputError when it
    cannot be written.
    """
    if os.path.lexists(path):
        raise TargetExists(f"{path} exists and was kept; move it away or choose another name")
    write_atomically(path, lambda stream: exporter(manifest, stream))
