"""Names of results: the source's own name wherever that is safe and free."""

import hashlib
import os
from collections.abc import Callable
from pathlib import PurePosixPath

from archive_colorizer.records.paths import _RESERVED, LONGEST, fold


def short_of(target: str) -> int:
    """Eight bytes instead of a path; two that meet by chance only cost a suffix."""
    folded = os.fsencode(fold(target))
    return int.from_bytes(hashlib.blake2b(folded, digest_size=8).digest())


def choose_target(name: str, taken: Callable[[str], bool]) -> str:
    """The place below the output for the result of the source called `name`.

    The name itself, or, when another source has it, with a suffix from the name's own hash,
    so that the choice is the same on every run.
    """
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()
    first, slash, rest = name.partition("/")
    wanted = name
    if fold(first) in _RESERVED:
        wanted = _suffixed(first, digest[:6]) + slash + rest
    folder, slash, last = wanted.rpartition("/")
    for length in (6, 16, 64):
        if not taken(wanted):
            break
        wanted = folder + slash + _suffixed(last, digest[:length])
    return wanted


def _suffixed(part: str, suffix: str) -> str:
    """`a.jpg` and `3f2a91` make `a~3f2a91.jpg`, cut to what a file system takes."""
    stem, extension = PurePosixPath(part).stem, PurePosixPath(part).suffix
    ending = f"~{suffix}{extension}"
    while stem and len(os.fsencode(stem + ending)) > LONGEST:
        stem = stem[:-1]
    return stem + ending
