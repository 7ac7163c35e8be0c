"""Everything that can go wrong, as types that carry an exit code and a reason."""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """How a command ended; documented in docs/exit-codes.md."""

    OK = 0
    BUG = 1
    USAGE = 2
    DEPENDENCY = 3
    MODEL = 4
    SOURCE = 5
    OUTPUT = 6
    SOME_FAILED = 7
    BUSY = 8
    OUT_OF_TIME = 9
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143


class ArchiveColorizerError(Exception):
    """An error with a message for people and a reason for programs.

    The message is one sentence that names the file or setting and, where the user can
    act, says what to do next.  `reason` is a stable word that goes into the manifest.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.BUG
    reason: ClassVar[str] = "bug"


class UsageError(ArchiveColorizerError):
    """Settings that cannot be meant: unknown keys, values out of range, paths that overlap."""

    exit_code = ExitCode.USAGE
    reason = "usage"


class DependencyError(ArchiveColorizerError):
    """A library that this command needs is not installed."""

    exit_code = ExitCode.DEPENDENCY
    reason = "dependency"


class DeviceError(DependencyError):
    """The device asked for cannot be used; there is no silent change to another one."""

    reason = "device"


class ClusterError(DependencyError):
    """A cluster's scheduler or its workers are not there, or cannot work for this run."""

    reason = "cluster"


class ModelError(ArchiveColorizerError):
    """The model file is missing, damaged, without contract, or not what its contract says."""

    exit_code = ExitCode.MODEL
    reason = "model"


class ModelOutputError(ModelError):
    """The network gave NaN or infinity for one picture; that picture fails."""

    reason = "model-output"


class SourceError(ArchiveColorizerError):
    """A source cannot be read."""

    exit_code = ExitCode.SOURCE
    reason = "unreadable"


class StoreUnreachable(SourceError):
    """A store did not answer, after its library has tried some times."""

    reason = "network"


class NotAPicture(SourceError):
    """The content is of no known picture format, or empty."""

    reason = "not-a-picture"


class DamagedPicture(SourceError):
    """The content begins as a picture and is cut or corrupt."""

    reason = "damaged"


class UnsupportedPicture(SourceError):
    """A sound picture of a kind that this version does not restore."""

    reason = "unsupported"


class PictureTooLarge(SourceError):
    """More pixels than the limit; found from the header, before anything is decoded."""

    reason = "too-large"


class SourceChanged(SourceError):
    """The source was written to while it was being restored."""

    reason = "source-changed"


class FixityMismatch(SourceError):
    """The source has not the checksum that the bag it came in gives for it."""

    reason = "fixity"


class GuideError(SourceError):
    """A mask or a file of known colors beside a photograph that cannot be meant, or read."""

    reason = "guide"


class OutputError(ArchiveColorizerError):
    """The output cannot be written; the run stops, since the next file would fare no better."""

    exit_code = ExitCode.OUTPUT
    reason = "output"


class ResultUnwritable(OutputError):
    """The result of one picture does not fit its format; only this result fails."""

    reason = "unwritable"


class ResultUnsound(OutputError):
    """A result that was read back before it got its name is not what was to be written."""

    reason = "unsound"


class ResultUnsent(OutputError):
    """A store did not take a result, after its library has tried some times; only this fails."""

    reason = "unsent"


class TargetExists(OutputError):
    """A file that is not this tool's stands where the result belongs; only this result fails."""

    reason = "target-exists"


class TargetName(OutputError):
    """The output's file system does not take the name of the result; only this result fails."""

    reason = "target-name"


class CredentialsError(ArchiveColorizerError):
    """Content Credentials cannot be made with this certificate and key, or of this picture."""

    exit_code = ExitCode.USAGE
    reason = "credentials"


class OutputBusy(ArchiveColorizerError):
    """Another run holds the output."""

    exit_code = ExitCode.BUSY
    reason = "busy"
