"""Objects by address: read, look, list, put and remove, with errors as of a file system.

All raise OSError: FileNotFoundError, FileExistsError, PermissionError where credentials or
rights are missing, ConnectionError when the store cannot be reached after its library has
tried some times, and others with the store's own words.  No message holds a token.
"""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from archive_colorizer.location import Address
from archive_colorizer.storage.filesystems import Found, Store, store_of

_CREDENTIALS: Final = re.compile("credential|authenticat|account_name", re.IGNORECASE)
_NETWORK: Final = re.compile(
    "connect|timeout|timed out|network|dns|ssl|reset|unreachable|slow ?down|throttl|"
    "try again|internal ?error|unavailable",
    re.IGNORECASE,
)
_PASSING: Final = frozenset(
    {errno.EBUSY, getattr(errno, "EREMOTEIO", errno.EIO), errno.ECONNRESET, errno.EPIPE}
)
_SECRETS: Final = re.compile(
    r"\?\S*|//[^/\s@]*@|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\b(?:sig|token|key|secret)=\S+",
    re.IGNORECASE,
)
_ASIDE: Final = re.compile(r"\s*RequestId:.*", re.DOTALL)
"""What Azure says after its first sentence, for its own people."""
_LONGEST: Final = 300


def read(place: Address) -> bytes:
    """The whole content."""
    with _told(place) as store:
        return store.read(place.path)


def read_part(place: Address, length: int, offset: int) -> bytes:
    """At most `length` bytes from `offset`; of an object that is not empty."""
    with _told(place) as store:
        return store.read_part(place.path, offset, offset + length)


def look(place: Address) -> Found:
    """The object's stamp and our note on it; one request."""
    with _told(place) as store:
        return store.look(place.path)


def list_folder(place: Address) -> Iterator[Found]:
    """What is directly below `place`: objects and folders; one request for each thousand."""
    with _told(place) as store:
        yield from store.list_folder(place.path)


def put(place: Address, data: bytes, note: str = "", *, new: bool = False) -> None:
    """Write an object, whole or not at all; `note` becomes its user metadata.

    new: raise FileExistsError when there is one already.
    """
    with _told(place) as store:
        store.put(place.path, data, note, new)


def fetch(place: Address, path: Path) -> None:
    """Copy an object to a file, without holding it in memory."""
    with _told(place) as store:
        store.fetch(place.path, str(path))


def send(path: Path, place: Address) -> None:
    """Write a file as an object, whole or not at all, without holding it in memory."""
    with _told(place) as store:
        store.send(str(path), place.path)


def remove(place: Address) -> None:
    """Delete one object; none there is no error."""
    with _told(place) as store:
        try:
            store.remove(place.path)
        except FileNotFoundError:
            return


@contextmanager
def _told(place: Address) -> Iterator[Store]:
    """The store of a place, whose errors leave as OSErrors with words that can be shown."""
    try:
        store = store_of(place.scheme)
    except ValueError as error:
        raise _error(error) from None
    troubles: tuple[type[Exception], ...] = (OSError, *store.troubles)
    try:
        yield store
    except troubles as error:
        # The chain could hold what a message must not.
        raise _error(error) from None


def _error(error: Exception) -> OSError:
    said = str(error.strerror if isinstance(error, OSError) and error.strerror else error)
    said = (
        _SECRETS.sub("...", " ".join(_ASIDE.sub("", said).split()))[:_LONGEST].removesuffix(".")
        or type(error).__name__
    )
    kind = type(error).__name__
    if isinstance(error, FileExistsError) or _is_condition(error):
        return FileExistsError(errno.EEXIST, said)
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(errno.ENOENT, said)
    if isinstance(error, PermissionError) or getattr(error, "status_code", 0) in (401, 403):
        return PermissionError(errno.EACCES, f"{said}; check credentials and rights")
    if _CREDENTIALS.search(kind) or (isinstance(error, ValueError) and _CREDENTIALS.search(said)):
        return PermissionError(errno.EACCES, f"{said}; see docs/remote.md for where they go")
    if isinstance(error, ConnectionError | TimeoutError) or _is_passing(error, f"{kind} {said}"):
        return ConnectionError(errno.ECONNABORTED, said)
    number = error.errno if isinstance(error, OSError) else None
    return OSError(number or errno.EIO, said)


def _is_condition(error: Exception) -> bool:
    """Whether a condition on the object did not hold, as stores and their libraries say it."""
    for one in (error, error.__cause__):
        answer = getattr(one, "response", None)
        code = answer.get("Error", {}).get("Code") if isinstance(answer, dict) else None
        if code in ("PreconditionFailed", "412", "ConditionalRequestConflict"):
            return True
        if str(getattr(one, "code", "")) == "412" or getattr(one, "status_code", 0) == 412:
            return True
    return False


def _is_passing(error: Exception, said: str) -> bool:
    if isinstance(error, OSError):
        return error.errno in _PASSING
    return _NETWORK.search(said) is not None
