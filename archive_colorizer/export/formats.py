"""The forms that a manifest can be exported in, and how a report comes to its file."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from archive_colorizer.errors import TargetExists
from archive_colorizer.export.premis import write_premis
from archive_colorizer.export.table import (
    write_csv,
    write_json,
    write_parquet,
)
from archive_colorizer.manifest.reader import Account
from archive_colorizer.storage.atomic import write_whole

Export: TypeAlias = Callable[[Account, BinaryIO], None]


EXPORTS: Final[dict[str, Export]] = {
    "json": write_json,
    "csv": write_csv,
    "parquet": write_parquet,
    "premis": write_premis,
}


@dataclass(slots=True)
class Overview:
    """How many files of each state and reason there are; `warnings` counts files with any.

    `weak` counts results by what their color is weak in.
    """

    states: Counter[tuple[str, str]] = field(default_factory=Counter)
    weak: Counter[str] = field(default_factory=Counter)
    warnings: int = 0


def overview_of(account: Account) -> Overview:
    """Count what became of all files."""
    made = Overview()
    for entry in account.newest():
        made.states[str(entry.outcome.state), entry.outcome.reason or ""] += 1
        made.weak.update(entry.outcome.weak)
        made.warnings += bool(entry.outcome.warnings)
    return made


def export_to(path: Path, account: Account, export: Export) -> None:
    """Write a report to a new file, whole or not at all.

    Raises TargetExists for a file that is there already, since it could be somebody's
    original, and OutputError when it cannot be written.
    """
    if os.path.lexists(path):
        raise TargetExists(f"{path} exists and was kept; move it away or choose another name")
    write_whole(path, lambda stream: export(account, stream))
