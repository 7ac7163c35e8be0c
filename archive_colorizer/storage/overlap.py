"""Places that must not overlap: what is read, and what is written."""

import os
from collections.abc import Sequence
from pathlib import Path

from archive_colorizer.errors import UsageError
from archive_colorizer.location import Address, Place


def check_apart(roots: Sequence[Place], output: Place) -> None:
    """Raise UsageError when the output lies in a root, a root in the output, or both are one.

    Links and other mounts of the same folder do not hide it; a bucket that is mounted as a
    folder, or has a second name, does.
    """
    real_output = real(output)
    for root in roots:
        real_root = real(root)
        if _lies_in(real_output, real_root):
            raise UsageError(
                f"the output {output} lies in the scans {root}; choose another --output"
            )
        if _lies_in(real_root, real_output):
            raise UsageError(
                f"the scans {root} lie in the output {output}; choose another --output"
            )


def real(place: Place) -> Place:
    """The place without links; an address has none."""
    return Path(os.path.realpath(place)) if isinstance(place, Path) else place


def _lies_in(inner: Place, outer: Place) -> bool:
    """Whether `outer` is `inner` or one of its parents, by name or by what is on the disk."""
    if isinstance(inner, Address) or isinstance(outer, Address):
        return isinstance(inner, Address) and isinstance(outer, Address) and outer.holds(inner)
    if inner == outer or outer in inner.parents:
        return True
    try:
        there = outer.stat()
    except OSError:
        return False
    for place in (inner, *inner.parents):
        try:
            if os.path.samestat(place.stat(), there):
                return True
        except OSError:
            continue
    return False
