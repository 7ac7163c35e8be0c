"""Read and write lists of checksums."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

CHECKSUM_LIST: Final = ".sha256"
"""Suffix of a list that stands for a folder of frames."""

_LINE: Final = re.compile(r"(?P<sha256>[0-9a-f]{64})  (?P<name>[^/\0]+/[^/\0]+)")


def format_checksum_list(folder: str, digests: Mapping[str, str]) -> bytes:
    """Format the checksums of a folder's files for `sha256sum -c`, run next to the folder."""
    return b"".join(os.fsencode(f"{digest}  {folder}/{name}\n") for name, digest in digests.items())


def read_checksum_list(path: Path) -> dict[str, str]:
    """Read sha256 by path relative to the list; other lines are skipped.

    Paths lead one folder down and nowhere else.  Raises OSError.
    """
    matches = map(_LINE.fullmatch, os.fsdecode(path.read_bytes()).split("\n"))
    named = {match["name"]: match["sha256"] for match in matches if match}
    return {name: sha256 for name, sha256 in named.items() if ".." not in name.split("/")}
