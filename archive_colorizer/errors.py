"""Define the errors of the package, with the exit code and the reason of each."""

from enum import IntEnum, StrEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """Exit codes of commands; documented in docs/exit-codes.md."""

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
    UNPRINTED = 10
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143


class FailureReason(StrEnum):
    """Slug in the manifest for why a file failed, or for why a command did.

    exit_code: of a command that ends for this reason.  is_retryable: whether the next run tries
    again although nothing changed.  is_machine_fault: whether many in a row end the run.
    """

    exit_code: ExitCode
    is_retryable: bool
    is_machine_fault: bool

    def __new__(
        cls, slug: str, exit_code: ExitCode, is_retryable: bool, is_machine_fault: bool
    ) -> "FailureReason":
        member = str.__new__(cls, slug)
        member._value_ = slug
        member.exit_code = exit_code
        member.is_retryable = is_retryable
        member.is_machine_fault = is_machine_fault
        return member

    BUG = "bug", ExitCode.BUG, True, False
    BUSY = "busy", ExitCode.BUSY, False, False
    CLUSTER = "cluster", ExitCode.DEPENDENCY, False, False
    CREDENTIALS = "credentials", ExitCode.USAGE, False, False
    DAMAGED = "damaged", ExitCode.SOURCE, False, False
    DEPENDENCY = "dependency", ExitCode.DEPENDENCY, True, False
    DEVICE = "device", ExitCode.DEPENDENCY, True, True
    FIXITY = "fixity", ExitCode.SOURCE, True, False
    GUIDE = "guide", ExitCode.SOURCE, False, False
    MEMORY = "memory", ExitCode.DEPENDENCY, True, True
    MISSING_SHOTS = "missing-shots", ExitCode.OUTPUT, True, False
    MODEL = "model", ExitCode.MODEL, True, True
    MODEL_OUTPUT = "model-output", ExitCode.MODEL, False, False
    NETWORK = "network", ExitCode.SOURCE, True, True
    NOT_A_PICTURE = "not-a-picture", ExitCode.SOURCE, False, False
    OUTPUT = "output", ExitCode.OUTPUT, True, False
    SOURCE_CHANGED = "source-changed", ExitCode.SOURCE, True, False
    TARGET_EXISTS = "target-exists", ExitCode.OUTPUT, True, False
    TARGET_NAME = "target-name", ExitCode.OUTPUT, True, False
    TIMEOUT = "timeout", ExitCode.DEPENDENCY, True, True
    TOO_COSTLY = "too-costly", ExitCode.SOURCE, True, False
    TOO_LARGE = "too-large", ExitCode.SOURCE, True, False
    UNREADABLE = "unreadable", ExitCode.SOURCE, True, True
    UNSENT = "unsent", ExitCode.OUTPUT, True, True
    UNSOUND = "unsound", ExitCode.OUTPUT, True, True
    UNSUPPORTED = "unsupported", ExitCode.SOURCE, False, False
    UNWRITABLE = "unwritable", ExitCode.OUTPUT, False, False
    USAGE = "usage", ExitCode.USAGE, True, False
    WORKER_LOST = "worker-lost", ExitCode.DEPENDENCY, True, True

    @classmethod
    def parse(cls, slug: str | None) -> "FailureReason | None":
        """Return the reason; None for a skip's, and for one that only other versions know."""
        return next((reason for reason in cls if reason == slug), None)


class ArchiveColorizerError(Exception):
    """An error with a message for people and a reason for programs.

    The message is one sentence that names the file or setting and, where the user can act,
    says what to do next.
    """

    reason: ClassVar[FailureReason] = FailureReason.BUG

    def __init_subclass__(cls, reason: FailureReason | None = None) -> None:
        super().__init_subclass__()
        cls.reason = reason or cls.reason

    @property
    def exit_code(self) -> ExitCode:
        return self.reason.exit_code


class UsageError(ArchiveColorizerError, reason=FailureReason.USAGE):
    """Invalid settings: unknown keys, values out of range, paths that overlap."""


class DependencyError(ArchiveColorizerError, reason=FailureReason.DEPENDENCY):
    """This command needs a library that is not installed."""


class DeviceError(DependencyError, reason=FailureReason.DEVICE):
    """The requested device cannot be used; the run never falls back to another one."""


class ClusterError(DependencyError, reason=FailureReason.CLUSTER):
    """A cluster's scheduler or its workers are missing, or cannot work for this run."""


class ModelError(ArchiveColorizerError, reason=FailureReason.MODEL):
    """The model file is missing, damaged, or differs from its contract."""


class ModelOutputError(ModelError, reason=FailureReason.MODEL_OUTPUT):
    """The network returned NaN or infinity for one picture; only that picture fails."""


class SourceError(ArchiveColorizerError, reason=FailureReason.UNREADABLE):
    """A source cannot be read."""


class StoreUnreachable(SourceError, reason=FailureReason.NETWORK):
    """An object store did not answer, although its library tried several times."""


class NotAPicture(SourceError, reason=FailureReason.NOT_A_PICTURE):
    """The content is empty or has no known picture format."""


class DamagedPicture(SourceError, reason=FailureReason.DAMAGED):
    """The content begins like a picture but is cut or corrupt."""


class UnsupportedPicture(SourceError, reason=FailureReason.UNSUPPORTED):
    """This version does not restore pictures of this kind."""


class PictureTooLarge(SourceError, reason=FailureReason.TOO_LARGE):
    """The picture has more pixels than the limit, according to its header."""


class PictureTooCostly(SourceError, reason=FailureReason.TOO_COSTLY):
    """Decoding would take far more time or memory than pictures of that size and format do."""


class SourceChanged(SourceError, reason=FailureReason.SOURCE_CHANGED):
    """The source was modified during its restoration."""


class FixityMismatch(SourceError, reason=FailureReason.FIXITY):
    """The checksum of the source differs from the one in its bag."""


class GuideError(SourceError, reason=FailureReason.GUIDE):
    """A mask or a file of known colors next to a photograph is invalid or unreadable."""


class OutputError(ArchiveColorizerError, reason=FailureReason.OUTPUT):
    """The output cannot be written; the run stops, since every other file would fail too."""


class ResultUnwritable(OutputError, reason=FailureReason.UNWRITABLE):
    """The format cannot hold the result of one picture; only this result fails."""


class ResultUnsound(OutputError, reason=FailureReason.UNSOUND):
    """A staged result that was read back differs from what was written."""


class ResultUnsent(OutputError, reason=FailureReason.UNSENT):
    """An object store did not accept a result, although its library tried several times."""


class TargetExists(OutputError, reason=FailureReason.TARGET_EXISTS):
    """A file from elsewhere has the name of the result; only this result fails."""


class TargetName(OutputError, reason=FailureReason.TARGET_NAME):
    """The output's file system rejects the name of the result; only this result fails."""


class CredentialsError(ArchiveColorizerError, reason=FailureReason.CREDENTIALS):
    """Content Credentials cannot be signed with this key, or for this picture."""


class OutputBusy(ArchiveColorizerError, reason=FailureReason.BUSY):
    """Another run has locked the output."""
