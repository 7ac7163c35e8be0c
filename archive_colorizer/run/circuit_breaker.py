"""Streak: failures in a row that are not their files' fault end a run early."""

import errno
import os

from archive_colorizer.errors import (
    ArchiveColorizerError,
    DependencyError,
    DeviceError,
    ModelError,
    OutputError,
    SourceError,
)
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.records.outcomes import Outcome, State

MOST = 20
"""Failures in a row."""

_ENDS: dict[str, type[ArchiveColorizerError]] = {
    "device": DeviceError,
    "memory": DependencyError,
    "model": ModelError,
    "network": SourceError,
    "timeout": DependencyError,
    "unreadable": SourceError,
    "unsent": OutputError,
    "unsound": OutputError,
    "worker-lost": DependencyError,
}
"""Reasons that may be the machine's fault, and the error that a run of them is."""

_OF_THE_MACHINE = (
    errno.EIO,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.ENOMEM,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENODEV,
    errno.ESTALE,
    errno.EROFS,
)
_OF_THE_FILE = (errno.EACCES, errno.EPERM, errno.ELOOP)
"""A folder without rights is no reason to leave the other folders."""


class CircuitBreaker:
    """Counts what fails in a row, one outcome after the other.

    A failure that an earlier run had in the same way does not count, nor does it end the
    row: else a damaged stretch of a disk would keep every run from what comes after it.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._length = 0

    def record(self, outcome: Outcome) -> ArchiveColorizerError | None:
        """The error to end the run with, when this outcome, not yet recorded, is one too many."""
        kind = _suspect(outcome)
        if kind is None:
            self._length = 0
            return None
        known = self._manifest.newest(outcome.name)
        if known is not None and (known.key, known.reason) == (outcome.key, outcome.reason):
            return None
        self._length += 1
        if self._length < MOST:
            return None
        return kind(
            f"stopped after {MOST} failures in a row that look like the machine's fault, the "
            f"last: {outcome.message or outcome.reason}; mend that and run again"
        )


def _suspect(outcome: Outcome) -> type[ArchiveColorizerError] | None:
    if outcome.state is not State.FAILED:
        return None
    said = outcome.message or ""
    if outcome.reason == "bug":
        return OutputError if _names(said, _OF_THE_MACHINE) else None
    if outcome.reason == "unreadable" and _names(said, _OF_THE_FILE):
        return None
    return _ENDS.get(outcome.reason or "")


def _names(said: str, numbers: tuple[int, ...]) -> bool:
    """Whether the message has the system's words for one of these numbers."""
    return any(os.strerror(number) in said for number in numbers)
