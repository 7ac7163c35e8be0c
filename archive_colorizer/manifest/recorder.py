"""Recorder: outcomes into the manifest, a batch for each fsync."""

import time

from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.records.json_lines import Record
from archive_colorizer.records.outcomes import Outcome, Provenance

_MOST = 64
_SECONDS = 0.5


class Recorder:
    """Holds outcomes back for half a second at most while they come thick and fast."""

    def __init__(self, manifest: Manifest, opening: Provenance | None) -> None:
        self._manifest = manifest
        self._opening = opening
        self._pending: list[Outcome] = []
        self._flushed = 0.0

    @property
    def pending(self) -> int:
        """How many outcomes are not in the manifest yet."""
        return len(self._pending)

    def add(self, outcome: Outcome) -> None:
        """Take one outcome; raises OutputError as `flush` does."""
        self._pending.append(outcome)
        if len(self._pending) >= _MOST or time.monotonic() - self._flushed >= _SECONDS:
            self.flush()

    def flush(self) -> None:
        """Bring everything to the disk; raises OutputError and keeps everything if it cannot."""
        if not self._pending:
            return
        opening: list[Record] = [] if self._opening is None else [self._opening]
        self._manifest.append([*opening, *self._pending])
        self._opening = None
        self._pending.clear()
        self._flushed = time.monotonic()
