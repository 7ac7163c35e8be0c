"""Stamps: what tells that a file is still the same, of scans and of pictures beside them."""

import os
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Stamp:
    """What `stat` tells of a file: equal stamps mean unchanged, unequal ones mean "hash it".

    That of an object has its version (ETag) in the inode's place, and no ctime.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Stamp":
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


NO_STAMP: Final = Stamp(0, 0, 0, 0)
"""Of what was not looked at, and of keys that are no objects."""


Role: TypeAlias = Literal["mask", "hints"]
"""What a picture is to the photograph that it lies beside."""


@dataclass(frozen=True, slots=True)
class Companion:
    """A picture beside a photograph, of this name, that says more about its color.

    `stamp` is None where it could not be looked at, `sha256` before it was read.
    """

    role: Role
    name: str
    stamp: Stamp | None
    sha256: str | None = None
