"""Stage finished files until they are delivered: small ones in memory, large ones on disk."""

import io
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from archive_colorizer.storage.atomic import describe_write_error

Content: TypeAlias = bytes | Path
"""A finished file: its bytes, or the path of a temporary file."""

_IN_MEMORY: Final = 32 << 20
"""Bytes of the largest file that is staged in memory."""


def stage_content(write: Callable[[BinaryIO], None], size: int, work: str) -> Content:
    """Stage what `write` puts into an empty file, in which it may also read and seek.

    size: estimated bytes.  work: the folder for large files; without one, all stay in memory.
    Raises what `write` raises, and OutputError; no file stays then.
    """
    if not work or size <= _IN_MEMORY:
        target = io.BytesIO()
        write(target)
        return target.getvalue()
    path = Path(work, f"{secrets.token_hex(8)}.tmp")
    try:
        with discard_on_error(path), path.open("x+b") as file:
            write(file)
    except OSError as error:
        if error.errno is None:  # Encoders raise such OSErrors of their own.
            raise
        raise describe_write_error(path, error) from None
    return path


@contextmanager
def discard_on_error(content: Content) -> Iterator[None]:
    """Remove a staged file from the disk when the body raises."""
    with ExitStack() as stack:
        if isinstance(content, Path):
            stack.callback(content.unlink, missing_ok=True)
        yield
        stack.pop_all()


def load_content(content: Content) -> bytes:
    """Load a staged file into memory, and remove it from the disk."""
    if isinstance(content, bytes):
        return content
    data = content.read_bytes()
    content.unlink()
    return data
