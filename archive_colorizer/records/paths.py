"""Names and places of results below an output."""

import os
import unicodedata

from archive_colorizer.recipe.overrides import Own as Own
from archive_colorizer.records.sources import NO_STAMP as NO_STAMP
from archive_colorizer.records.sources import Companion as Companion
from archive_colorizer.records.sources import Role as Role
from archive_colorizer.records.sources import Source as Source
from archive_colorizer.records.sources import Stamp as Stamp
from archive_colorizer.records.sources import Unfit as Unfit

MANIFEST = "manifest.jsonl"


WORK = ".work"


LONGEST = 255
"""Bytes that one part of a path may have on the usual file systems."""


_RESERVED = frozenset({MANIFEST, WORK})


def fold(path: str) -> str:
    """What a file system that ignores case and normalises Unicode would take `path` for."""
    composed = unicodedata.normalize("NFC", path).casefold()
    return unicodedata.normalize("NFC", composed)


def is_target(path: str) -> bool:
    """Whether `path` is a place below the output that a result may have.

    Absolute paths, paths with `..`, and the run's own files are none.
    """
    parts = path.split("/")
    if "\0" in path or any(part in ("", ".", "..") for part in parts):
        return False
    if os.sep != "/" and (os.sep in path or ":" in path):
        return False
    return is_name(path) and fold(parts[0]) not in _RESERVED


def is_name(path: str) -> bool:
    """Whether `path` can be the name of a file here: surrogate escapes can, others cannot."""
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return bool(path) and "\0" not in path


def sidecar_of(target: str) -> str:
    """Where the metadata of a result lies that its own file does not hold.

    The whole name with `.xmp` after it, since `a.jpg` and `a.tif` may lie in one folder.
    """
    return f"{target}.xmp"
