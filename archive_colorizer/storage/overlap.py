"""Refuse an output that overlaps with the scans."""

import os
from collections.abc import Sequence
from pathlib import Path

from archive_colorizer.errors import UsageError
from archive_colorizer.location import Location, ObjectLocation


def check_no_overlap(roots: Sequence[Location], output: Location) -> None:
    """Raise UsageError when the output and a root are the same or one contains the other.

    Links and other mounts of the same folder are seen through; a bucket that is mounted as a
    folder, or has a second name, is not recognized.
    """
    real_output = resolve_links(output)
    for root in roots:
        real_root = resolve_links(root)
        if _is_inside(real_output, real_root):
            raise UsageError(
                f"the output {output} lies in the scans {root}; choose another --output"
            )
        if _is_inside(real_root, real_output):
            raise UsageError(
                f"the scans {root} lie in the output {output}; choose another --output"
            )


def resolve_links(location: Location) -> Location:
    """Resolve the links of a path; an object has none."""
    return Path(os.path.realpath(location)) if isinstance(location, Path) else location


def _is_inside(inner: Location, outer: Location) -> bool:
    """Whether `outer` is `inner` or one of its parents, by name or by device and inode."""
    if isinstance(inner, ObjectLocation) and isinstance(outer, ObjectLocation):
        return outer.contains(inner)
    if isinstance(inner, ObjectLocation) or isinstance(outer, ObjectLocation):
        return False
    if inner == outer or outer in inner.parents:
        return True
    try:
        outer_status = outer.stat()
    except OSError:
        return False
    for folder in (inner, *inner.parents):
        try:
            if os.path.samestat(folder.stat(), outer_status):
                return True
        except OSError:
            continue
    return False
