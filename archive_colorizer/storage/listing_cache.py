"""What lies in a store, as its listings tell it: folder by folder, the last few kept.

A run asks for one file after the other in the order of their folders, and a request for each
would be a thousand times what a listing takes.
"""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from archive_colorizer.errors import OutputError
from archive_colorizer.location import Address
from archive_colorizer.records.jobs import Stamp

_KEPT: Final = 8
"""Folders; sources come depth first, and results lie in folders of the same names."""


def stamp_of(place: Address) -> Stamp | None:
    """The stamp of an object, None where there is none; raises OutputError."""
    return _folder(place.parent).get(place.name)


def forget() -> None:
    """Ask the stores anew from here on."""
    _folder.cache_clear()


def fixity_of(place: Address) -> tuple[Stamp, str] | None:
    """Stamp and sha256 of an object, read whole; None when it cannot be read or changes."""
    from archive_colorizer.storage import objects

    try:
        before = objects.look(place).stamp
        digest = hashlib.sha256(objects.read(place)).hexdigest()
        after = objects.look(place).stamp
    except OSError:
        return None
    return None if after is None or after != before else (after, digest)


@lru_cache(maxsize=_KEPT)
def _folder(folder: Address) -> Mapping[str, Stamp]:
    from archive_colorizer.storage import objects

    try:
        found = list(objects.list_folder(folder))
    except OSError as error:
        raise OutputError(
            f"cannot list {folder}: {error.strerror}; mend that and run again"
        ) from None
    return {one.path.rpartition("/")[2]: one.stamp for one in found if one.stamp is not None}
