"""Name the files of a report, and open a folder that holds nothing else."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from archive_colorizer.errors import TargetExists, UsageError
from archive_colorizer.location import Location
from archive_colorizer.storage.atomic import describe_write_error
from archive_colorizer.storage.overlap import check_no_overlap

PAGE: Final = "index.html"
MARKS: Final = "marked.json"
PAGE_START: Final = b"<!DOCTYPE html>\n<!-- archive-colorizer report -->\n"
"""The start of each page, which identifies a folder as a report."""


def open_folder(folder: Path, kept_apart: Iterable[Location]) -> Path:
    """Make the folder of a report, or reuse that of an earlier one, and return its real path.

    Raises UsageError when it overlaps one of `kept_apart`, TargetExists when it holds other files,
    and OutputError when it cannot be made.
    """
    real = Path(os.path.realpath(folder))
    try:
        check_no_overlap(tuple(kept_apart), real)
    except UsageError as error:
        raise UsageError(
            f"a report cannot lie in an output or among scans, nor hold them: {error}"
        ) from None
    try:
        real.mkdir(parents=True, exist_ok=True)
        if any(real.iterdir()) and not _is_report(real):
            raise TargetExists(f"{real} holds other files and was kept; choose another --output")
    except OSError as error:
        raise describe_write_error(real, error) from error
    return real


def _is_report(folder: Path) -> bool:
    try:
        with (folder / PAGE).open("rb") as stream:
            return stream.read(len(PAGE_START)) == PAGE_START
    except FileNotFoundError:
        # An interrupted report has pictures and no page yet.
        return all(entry.name == "thumbs" or entry.suffix == ".tmp" for entry in folder.iterdir())
