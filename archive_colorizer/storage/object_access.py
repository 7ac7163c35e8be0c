"""Access a store of objects, with the errors of a file system."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from archive_colorizer.location import ObjectLocation
from archive_colorizer.storage.filesystems import ObjectFilesystem, get_filesystem

_CREDENTIALS: Final = re.compile("credential|authenticat|account_name", re.IGNORECASE)
_NETWORK: Final = re.compile(
    "connect|timeout|timed out|network|dns|ssl|reset|unreachable|slow ?down|throttl|"
    "try again|internal ?error|unavailable",
    re.IGNORECASE,
)
_TRANSIENT: Final = frozenset(
    {errno.EBUSY, getattr(errno, "EREMOTEIO", errno.EIO), errno.ECONNRESET, errno.EPIPE}
)
_SECRETS: Final = re.compile(
    r"\?\S*|//[^/\s@]*@|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\b(?:sig|token|key|secret)=\S+",
    re.IGNORECASE,
)
_AZURE_DETAILS: Final = re.compile(r"\s*RequestId:.*", re.DOTALL)
_MESSAGE_LENGTH: Final = 300


@contextmanager
def open_store(location: ObjectLocation) -> Iterator[ObjectFilesystem]:
    """Yield the filesystem of a location, all of whose errors leave as OSErrors.

    These are FileNotFoundError, FileExistsError, PermissionError where credentials or rights are
    missing, ConnectionError when the store cannot be reached after the retries of its library,
    and others with the store's own words.  No message holds a token.
    """
    try:
        filesystem = get_filesystem(location.scheme)
    except ValueError as error:
        raise _translate_error(error) from None
    errors: tuple[type[Exception], ...] = (OSError, *filesystem.errors)
    try:
        yield filesystem
    except errors as error:
        # The chain of causes could hold a secret.
        raise _translate_error(error) from None


def _translate_error(error: Exception) -> OSError:
    kind = type(error).__name__
    message = str(error.strerror if isinstance(error, OSError) and error.strerror else error)
    message = " ".join(_AZURE_DETAILS.sub("", message).split())
    message = _SECRETS.sub("...", message)[:_MESSAGE_LENGTH].removesuffix(".") or kind
    if isinstance(error, FileExistsError) or _is_failed_condition(error):
        return FileExistsError(errno.EEXIST, message)
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(errno.ENOENT, message)
    if isinstance(error, PermissionError) or getattr(error, "status_code", 0) in (401, 403):
        return PermissionError(errno.EACCES, f"{message}; check credentials and rights")
    if _CREDENTIALS.search(kind) or (
        isinstance(error, ValueError) and _CREDENTIALS.search(message)
    ):
        return PermissionError(errno.EACCES, f"{message}; see docs/remote.md for where they go")
    if isinstance(error, ConnectionError | TimeoutError) or _is_transient(
        error, f"{kind} {message}"
    ):
        return ConnectionError(errno.ECONNABORTED, message)
    number = error.errno if isinstance(error, OSError) else None
    return OSError(number or errno.EIO, message)


def _is_failed_condition(error: Exception) -> bool:
    """Whether a condition on the object did not hold, in the words of any store."""
    for cause in (error, error.__cause__):
        answer = getattr(cause, "response", None)
        code = answer.get("Error", {}).get("Code") if isinstance(answer, dict) else None
        if code in ("PreconditionFailed", "412", "ConditionalRequestConflict"):
            return True
        if str(getattr(cause, "code", "")) == "412" or getattr(cause, "status_code", 0) == 412:
            return True
    return False


def _is_transient(error: Exception, message: str) -> bool:
    if isinstance(error, OSError):
        return error.errno in _TRANSIENT
    return _NETWORK.search(message) is not None
