"""Check and build paths of results below an output."""

import hashlib
import os
import sys
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from pathlib import PurePosixPath

MANIFEST = "manifest.jsonl"
WORK = ".work"
MAX_NAME_BYTES = 255
"""Bytes that one part of a path may have on common file systems."""

_RESERVED_NAMES = frozenset({MANIFEST, WORK})


def fold(path: str) -> str:
    """Return `path` as a file system that ignores case and normalizes Unicode compares it."""
    composed = unicodedata.normalize("NFC", path).casefold()
    return unicodedata.normalize("NFC", composed)


def is_target(path: str) -> bool:
    """Return whether a result may have this path below the output.

    Absolute paths, paths with `..`, and the run's own files are not allowed.
    """
    parts = path.split("/")
    if "\0" in path or any(part in ("", ".", "..") for part in parts):
        return False
    if os.sep != "/" and (os.sep in path or ":" in path):
        return False
    return is_name(path) and fold(parts[0]) not in _RESERVED_NAMES


def is_name(path: str) -> bool:
    """Return whether the file system can encode `path`; surrogate escapes are allowed."""
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return bool(path) and "\0" not in path


def to_recorded_name(name: str) -> str:
    """Return the name as UTF-8 reads its bytes, so that records mean the same in every locale."""
    if sys.getfilesystemencoding() != "utf-8":
        # Keys of a store are text, which a locale need not be able to encode.
        with suppress(UnicodeEncodeError):
            return os.fsencode(name).decode("utf-8", "surrogateescape")
    return name


def from_recorded_name(name: str) -> str:
    """Return the name as this process reads it from a folder; raises ValueError for no name."""
    if sys.getfilesystemencoding() != "utf-8":
        return os.fsdecode(name.encode("utf-8", "surrogateescape"))
    return name


def get_sidecar_path(target: str) -> str:
    """Return the path of the XMP file next to a result.

    The suffix follows the whole name, since one folder may hold `a.jpg` and `a.tif`.
    """
    return f"{target}.xmp"


def hash_target(target: str) -> int:
    """Hash a target to eight bytes, regardless of case; a collision only costs a suffix."""
    folded = os.fsencode(fold(target))
    return int.from_bytes(hashlib.blake2b(folded, digest_size=8).digest())


def choose_target(name: str, is_taken: Callable[[str], bool]) -> str:
    """Choose the target for the source called `name`.

    It is the name itself or, when another source has that, the name with a suffix from its own
    hash, so that the choice is the same on every run.
    """
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()
    first, slash, rest = name.partition("/")
    target = name
    if fold(first) in _RESERVED_NAMES:
        target = _add_suffix(first, digest[:6]) + slash + rest
    folder, slash, last = target.rpartition("/")
    for length in (6, 16, 64):
        if not is_taken(target):
            break
        target = folder + slash + _add_suffix(last, digest[:length])
    return target


def _add_suffix(part: str, suffix: str) -> str:
    """Make `a~3f2a91.jpg` of `a.jpg` and `3f2a91`, cut to MAX_NAME_BYTES."""
    stem, extension = PurePosixPath(part).stem, PurePosixPath(part).suffix
    ending = f"~{suffix}{extension}"
    while stem and len(os.fsencode(stem + ending)) > MAX_NAME_BYTES:
        stem = stem[:-1]
    return stem + ending
