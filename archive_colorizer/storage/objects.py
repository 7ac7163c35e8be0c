"""Read, list, put and remove objects, with the errors of a file system.

All functions raise OSError: FileNotFoundError, FileExistsError, PermissionError where
credentials or rights are missing, ConnectionError when the store cannot be reached after the
retries of its library, and others with the store's own words.  No message holds a token.
"""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from archive_colorizer.location import ObjectLocation
from archive_colorizer.storage.filesystems import ObjectFilesystem, ObjectInfo, get_filesystem

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


def read(location: ObjectLocation) -> bytes:
    """Read the whole content."""
    with _translate_errors(location) as filesystem:
        return filesystem.read(location.path)


def read_part(location: ObjectLocation, length: int, offset: int) -> bytes:
    """Read at most `length` bytes from `offset`; the object must not be empty."""
    with _translate_errors(location) as filesystem:
        return filesystem.read_part(location.path, offset, offset + length)


def read_info(location: ObjectLocation) -> ObjectInfo:
    """Read the object's stamp and our note on it, with one request."""
    with _translate_errors(location) as filesystem:
        return filesystem.read_info(location.path)


def list_folder(location: ObjectLocation) -> Iterator[ObjectInfo]:
    """Yield the objects and folders directly below; one request for each thousand."""
    with _translate_errors(location) as filesystem:
        yield from filesystem.list_folder(location.path)


def put(location: ObjectLocation, data: bytes, note: str = "", *, new: bool = False) -> None:
    """Write an object, whole or not at all; `note` becomes its user metadata.

    new: raise FileExistsError when there is one already.
    """
    with _translate_errors(location) as filesystem:
        filesystem.put(location.path, data, note, new)


def download(location: ObjectLocation, path: Path) -> None:
    """Copy an object to a file without holding it in memory."""
    with _translate_errors(location) as filesystem:
        filesystem.download(location.path, str(path))


def upload(path: Path, location: ObjectLocation) -> None:
    """Copy a file to an object, whole or not at all, without holding it in memory."""
    with _translate_errors(location) as filesystem:
        filesystem.upload(str(path), location.path)


def remove(location: ObjectLocation) -> None:
    """Delete one object; a missing one is no error."""
    with _translate_errors(location) as filesystem:
        try:
            filesystem.remove(location.path)
        except FileNotFoundError:
            return


@contextmanager
def _translate_errors(location: ObjectLocation) -> Iterator[ObjectFilesystem]:
    """Yield the filesystem of a location; its errors leave as OSErrors fit to be shown."""
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
