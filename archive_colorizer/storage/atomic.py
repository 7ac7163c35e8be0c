"""Files for people, such as reports, that appear whole or not at all."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from archive_colorizer.errors import OutputError


def write_whole(path: Path, fill: Callable[[BinaryIO], object]) -> None:
    """Write a file under a temporary name and give it its own; raises OutputError."""
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as stream:
            fill(stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> OutputError:
    """What to say when `path` cannot be written."""
    why = error.strerror or str(error)
    return OutputError(f"cannot write {path}: {why}; mend that and try again")
