"""Make folders for temporary files that are not written next to their result."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from archive_colorizer.errors import OutputError


@contextmanager
def make_temporary_folder() -> Iterator[Path]:
    """Make a folder that is removed at exit; raises OutputError where the system has no room."""
    try:
        folder = TemporaryDirectory(prefix="archive-colorizer-", ignore_cleanup_errors=True)
    except OSError as error:
        raise OutputError(
            f"temporary files cannot be written: {error.strerror or error}; make room, or set "
            "TMPDIR to a folder that can be written"
        ) from error
    with folder as path:
        yield Path(path)
