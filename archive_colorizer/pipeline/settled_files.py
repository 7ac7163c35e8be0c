"""Resting: which files below a folder have not changed for a while, so that none is half."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from archive_colorizer.records.jobs import Source, Stamp, Unfit

_IN_TRANSIT: Final = (".part", ".partial", ".filepart", ".crdownload", ".download", ".tmp", ".temp")
"""Endings of names under which programs copy before they give a file its own."""


def is_in_transit(name: str) -> bool:
    """Whether a name is one that a copying program uses meanwhile; rsync begins them with a dot."""
    return name.startswith(".") or name.lower().endswith(_IN_TRANSIT)


def files_below(folder: Path) -> dict[str, Stamp]:
    """The stamps of all files below a folder by their paths, but for names in transit.

    Links are not followed.  Raises OSError when the folder itself cannot be listed.
    """
    os.scandir(folder).close()  # os.walk says nothing about it
    found: dict[str, Stamp] = {}
    for place, _, names in os.walk(folder):
        for name in names:
            if not is_in_transit(name):
                path = f"{place}/{name}"
                with suppress(OSError):
                    found[path] = Stamp.of(os.lstat(path))
    return found


class Resting:
    """Files that have rested for `settle` seconds, by what was seen of them at each look.

    The time is that of the looker: clocks of network disks and dates that a copy keeps say
    nothing about when it was finished.
    """

    def __init__(self, settle: float) -> None:
        self._settle = settle
        self._since: dict[str, tuple[Stamp, float]] = {}

    def look(self, found: Mapping[str, Stamp], now: float) -> None:
        """Take what is there now; `now` is in seconds of a clock that never goes back."""
        before = self._since
        self._since = {
            path: before[path] if path in before and before[path][0] == stamp else (stamp, now)
            for path, stamp in found.items()
        }

    def at_rest(self, now: float) -> dict[str, Stamp]:
        """Path and stamp of each file that has rested."""
        return {
            path: stamp
            for path, (stamp, since) in self._since.items()
            if now - since >= self._settle
        }

    def seconds_left(self, now: float) -> float | None:
        """Until the next file may have rested; None when all have."""
        left = [self._settle - (now - since) for _, since in self._since.values()]
        return min((one for one in left if one > 0), default=None)


def may_be_restored(entry: Source | Unfit, at_rest: Mapping[str, Stamp]) -> bool:
    """Whether an entry of a run is as it was when it had rested, and its own settings rest, too.

    What is no file, and has no stamp, is accounted for at once.
    """
    if is_in_transit(entry.relative.rpartition("/")[2]):
        return False
    if isinstance(entry, Unfit):
        return True
    if any(f"{entry.root}/{one}" not in at_rest for one in entry.overrides):
        return False
    place = f"{entry.root}/{entry.relative}"
    folder = place.rpartition("/")[0]
    beside = all(at_rest.get(f"{folder}/{one.name}") == one.stamp for one in entry.beside)
    return beside and at_rest.get(place) == entry.stamp
