"""Lists of checksums in the format of sha256sum, whose names are relative to their folder."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

LIST: Final = ".sha256"
"""How the name of a list ends that stands for a folder of frames."""

_LINE: Final = re.compile(r"(?P<sha256>[0-9a-f]{64})  (?P<name>[^/\0]+/[^/\0]+)")


def list_of(folder: str, digests: Mapping[str, str]) -> bytes:
    """The list of a folder's files, for `sha256sum -c` where the list stands."""
    return b"".join(os.fsencode(f"{digest}  {folder}/{name}\n") for name, digest in digests.items())


def read_list(path: Path) -> dict[str, str]:
    """Sha256 by path relative to the list; lines that are none are passed over.

    Names lead one folder down and nowhere else.  Raises OSError when it cannot be read.
    """
    matches = map(_LINE.fullmatch, os.fsdecode(path.read_bytes()).split("\n"))
    named = {match["name"]: match["sha256"] for match in matches if match}
    return {name: sha256 for name, sha256 in named.items() if ".." not in name.split("/")}
