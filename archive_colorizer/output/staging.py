"""Drafts: finished files on their way, of which large ones wait on the disk and not in memory."""

import io
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from archive_colorizer.errors import OutputError

Content: TypeAlias = bytes | Path
"""A finished file: its bytes, or where they are until somebody gives them their place."""

_IN_MEMORY: Final = 32 << 20
"""Bytes: what is more goes to the disk at once, where it goes in the end all the same."""


def drafted(write: Callable[[BinaryIO], None], size: int, work: str) -> Content:
    """What `write` puts into an empty open file; it may read and seek in it, too.

    size: about how many bytes that may be.  Many of them go to a new file in the folder `work`;
    all stay in memory when `work` is empty.  Raises what `write` raises, and OutputError when
    the folder cannot be written; no file stays then.
    """
    if not work or size <= _IN_MEMORY:
        target = io.BytesIO()
        write(target)
        return target.getvalue()
    path = Path(work, f"{secrets.token_hex(8)}.tmp")
    try:
        with unless_failed(path), path.open("x+b") as file:
            write(file)
    except OSError as error:
        if error.errno is None:  # of an encoder that calls its own errors so
            raise
        raise OutputError(
            f"cannot write {path}: {error.strerror}; mend that and run again"
        ) from None
    return path


@contextmanager
def unless_failed(content: Content) -> Iterator[None]:
    """A draft on the disk goes when something is raised in here."""
    with ExitStack() as stack:
        if isinstance(content, Path):
            stack.callback(content.unlink, missing_ok=True)
        yield
        stack.pop_all()


def in_memory(content: Content) -> bytes:
    """The bytes of a draft, which is not on the disk any more."""
    if isinstance(content, bytes):
        return content
    data = content.read_bytes()
    content.unlink()
    return data


def size_of(content: Content) -> int:
    """Bytes; 0 when its file went away, which is found by whoever brings it to its place."""
    if isinstance(content, bytes):
        return len(content)
    with suppress(OSError):
        return content.stat().st_size
    return 0
