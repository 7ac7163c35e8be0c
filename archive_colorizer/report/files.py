"""Files of a report: whole or not at all, and only in a folder that is a report's own."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from archive_colorizer.errors import TargetExists, UsageError
from archive_colorizer.location import Place
from archive_colorizer.storage.atomic import unwritable
from archive_colorizer.storage.overlap import check_apart

PAGE: Final = "index.html"
MARKS: Final = "marked.json"
OPENING: Final = b"<!DOCTYPE html>\n<!-- archive-colorizer report -->\n"
"""How a page begins by which a folder is known as a report."""


def open_folder(folder: Path, apart: Iterable[Place]) -> Path:
    """Make the folder of a report, or take that of an earlier one; its real path.

    Raises UsageError when it lies in one of the folders `apart` or the reverse, TargetExists
    when somebody else's files are in it, and OutputError when it cannot be made.
    """
    real = Path(os.path.realpath(folder))
    try:
        check_apart(tuple(apart), real)
    except UsageError as error:
        raise UsageError(
            f"a report cannot lie in an output or among scans, nor hold them: {error}"
        ) from None
    try:
        real.mkdir(parents=True, exist_ok=True)
        if any(real.iterdir()) and not _is_report(real):
            raise TargetExists(f"{real} holds other files and was kept; choose another --output")
    except OSError as error:
        raise unwritable(real, error) from error
    return real


def _is_report(folder: Path) -> bool:
    try:
        with (folder / PAGE).open("rb") as stream:
            return stream.read(len(OPENING)) == OPENING
    except FileNotFoundError:
        # A report that was stopped has its pictures and no page yet.
        return all(entry.name == "thumbs" or entry.suffix == ".tmp" for entry in folder.iterdir())
