"""Stop a run after many failures in a row that look like the machine's fault."""

import errno

from archive_colorizer.errors import (
    ArchiveColorizerError,
    DependencyError,
    DeviceError,
    ExitCode,
    FailureReason,
    ModelError,
    OutputError,
    SourceError,
)
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.records.outcomes import Outcome, State

MAX_FAILURES = 20

_ERRORS: dict[ExitCode, type[ArchiveColorizerError]] = {
    ExitCode.DEPENDENCY: DependencyError,
    ExitCode.MODEL: ModelError,
    ExitCode.SOURCE: SourceError,
    ExitCode.OUTPUT: OutputError,
}
_MACHINE_ERRNOS = {
    getattr(errno, name)
    for name in "EIO ENOSPC EDQUOT ENOMEM EMFILE ENFILE ENODEV ESTALE EROFS".split()
}
# A folder without rights is no reason to stop before other folders.
_FILE_ERRNOS = (errno.EACCES, errno.EPERM, errno.ELOOP)


class CircuitBreaker:
    """Count failures in a row, one outcome after the other.

    A failure that an earlier run had in the same way neither counts nor ends the row, so that
    a damaged stretch of a disk does not keep every run from the files behind it.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._failures = 0

    def record(self, outcome: Outcome) -> ArchiveColorizerError | None:
        """Return the error that ends the run if this outcome is one failure too many.

        To be called before the manifest records the outcome.
        """
        error_class = _find_error_class(outcome)
        if error_class is None:
            self._failures = 0
            return None
        previous = self._manifest.find_newest(outcome.name)
        if previous and (previous.key, previous.reason) == (outcome.key, outcome.reason):
            return None
        self._failures += 1
        if self._failures < MAX_FAILURES:
            return None
        return error_class(
            f"stopped after {MAX_FAILURES} failures in a row that look like the machine's fault, "
            f"the last: {outcome.message or outcome.reason}; fix this, then run the same command "
            "again"
        )


def _find_error_class(outcome: Outcome) -> type[ArchiveColorizerError] | None:
    """Return the error to raise for many such failures; None if the machine is not at fault."""
    reason = FailureReason.parse(outcome.reason) if outcome.state is State.FAILED else None
    if reason is FailureReason.BUG:
        return OutputError if outcome.errno in _MACHINE_ERRNOS else None
    if reason is None or not reason.is_machine_fault:
        return None
    if reason is FailureReason.UNREADABLE and outcome.errno in _FILE_ERRNOS:
        return None
    return DeviceError if reason is FailureReason.DEVICE else _ERRORS[reason.exit_code]
