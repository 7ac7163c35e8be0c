"""Write files that appear whole or not at all."""

import errno
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from archive_colorizer.errors import OutputError

_NO_FOLDER_SYNC: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})
"""Errors of file systems, such as some of networks and of FUSE, that sync files alone."""


@contextmanager
def open_atomically(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file next to `path`, which takes its name at exit.

    Nothing is left when the body raises.  Raises OutputError, also for an OSError of the body.
    """
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise describe_write_error(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_atomically(path: Path, fill: Callable[[BinaryIO], object]) -> None:
    """Fill a file as `open_atomically` does."""
    with open_atomically(path) as stream:
        fill(stream)


def describe_write_error(location: object, error: OSError, action: str = "write") -> OutputError:
    """Say what failed, why, and what to do."""
    why = error.strerror or str(error)
    return OutputError(
        f"cannot {action} {location}: {why}; fix this, then run the same command again"
    )


def sync_folder(descriptor: int) -> None:
    """Sync the names in a folder, where its file system can; raises OSError when that fails."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of the data, which one `os.write` need not do."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
