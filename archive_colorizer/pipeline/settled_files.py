"""Find the files below a folder that have not changed for a while, so that none is incomplete."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from archive_colorizer.records.jobs import RejectedEntry, Source, Stamp

_IN_TRANSIT: Final = (".part", ".partial", ".filepart", ".crdownload", ".download", ".tmp", ".temp")
"""Endings of the temporary names that programs use while they copy a file."""


def _is_in_transit(name: str) -> bool:
    """Whether a copying program uses this name temporarily; rsync begins it with a dot."""
    return name.startswith(".") or name.lower().endswith(_IN_TRANSIT)


def scan_files(folder: Path) -> dict[str, Stamp]:
    """Return the stamps of all files below a folder by path, except those in transit.

    Does not follow links.  Raises OSError if the folder itself cannot be listed.
    """
    os.scandir(folder).close()  # os.walk would not raise.
    stamps: dict[str, Stamp] = {}
    for directory, _, names in os.walk(folder):
        for name in names:
            if not _is_in_transit(name):
                path = f"{directory}/{name}"
                with suppress(OSError):
                    stamps[path] = Stamp.from_stat(os.lstat(path))
    return stamps


class StableFiles:
    """Track which files had the same stamp in all scans of the last `settle` seconds.

    The dates of files are not used: a copy may keep them, and network disks have other clocks.
    """

    def __init__(self, settle: float) -> None:
        self._settle = settle
        self._since: dict[str, tuple[Stamp, float]] = {}

    def update(self, stamps: Mapping[str, Stamp], now: float) -> None:
        """Add a scan; `now` is in seconds of a monotonic clock."""
        before = self._since
        self._since = {
            path: before[path] if path in before and before[path][0] == stamp else (stamp, now)
            for path, stamp in stamps.items()
        }

    def list_stable(self, now: float) -> dict[str, Stamp]:
        """List path and stamp of each stable file."""
        return {
            path: stamp
            for path, (stamp, since) in self._since.items()
            if now - since >= self._settle
        }

    def get_seconds_left(self, now: float) -> float | None:
        """Return the time until the next file may be stable; None if all are."""
        waits = [self._settle - (now - since) for _, since in self._since.values()]
        return min((remaining for remaining in waits if remaining > 0), default=None)


def is_stable(entry: Source | RejectedEntry, stable: Mapping[str, Stamp]) -> bool:
    """Whether an entry, its companions and its settings files are unchanged since they were stable.

    Rejected entries, which have no stamp, always are.
    """
    if _is_in_transit(entry.relative.rpartition("/")[2]):
        return False
    if isinstance(entry, RejectedEntry):
        return True
    if any(f"{entry.root}/{settings}" not in stable for settings in entry.overrides):
        return False
    path = f"{entry.root}/{entry.relative}"
    folder = path.rpartition("/")[0]
    stamps = {path: entry.stamp, **{f"{folder}/{file.name}": file.stamp for file in entry.beside}}
    return all(stable.get(path) == stamp for path, stamp in stamps.items())
