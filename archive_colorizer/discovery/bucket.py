"""Sources in object stores: found, read and watched as discover does with files.

A folder is what a store's listing makes of the slashes in its keys.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from archive_colorizer.discovery.classify import is_called_photograph, judge, unreadable
from archive_colorizer.discovery.companions import Companions, find_companions
from archive_colorizer.discovery.folder import Folder, settings_beside
from archive_colorizer.errors import SourceError, UsageError
from archive_colorizer.image.signatures import MAGIC_LENGTH
from archive_colorizer.location import Address
from archive_colorizer.records.jobs import NO_STAMP, Source, Unfit
from archive_colorizer.storage import objects
from archive_colorizer.storage.filesystems import Found
from archive_colorizer.storage.reading import source_error

_NO_PARTS: Final = frozenset(("", ".", ".."))


def walk_bucket(root: Address, prefix: str = "") -> Iterator[Source | Unfit]:
    """Everything below `root`, in the order of `discover.walk`; one request a thousand keys.

    Only objects without a picture's extension are read, 16 bytes of each.  Keys that no path
    can have (with an empty part, `.` or `..`, or a slash at their end) come as failures.  A
    root that is an object yields that object.  Raises SourceError when the root is missing or
    cannot be listed.
    """
    try:
        found = _sorted(root)
        if not found and root.key:
            yield from _visit(root.parent, _alone(objects.look(root), root), prefix)
            return
    except FileNotFoundError:
        raise SourceError(f"{root}: there is nothing at this address; check it") from None
    except OSError as error:
        raise source_error(root, error) from None
    if any(one.path == f"{root.path}/bagit.txt" for one in found):
        raise UsageError(
            f"{root} is a bag, whose checksums are not read in a store; copy it to a disk first"
        )
    yield from _visit(root, _Listed(Folder("", _names(found), ()), found), prefix)


def _visit(root: Address, first: "_Listed", prefix: str) -> Iterator[Source | Unfit]:
    stack = [first]
    while stack:
        folder, one = stack[-1].folder, next(stack[-1].found, None)
        if one is None:
            stack.pop()
            continue
        name = one.path.rpartition("/")[2]
        relative = one.path.removeprefix(root.path).removeprefix("/")
        source = Source(str(root), relative, one.stamp or NO_STAMP, prefix)
        if _is_odd(relative):
            yield _odd(source if one.stamp else replace(source, relative=f"{relative}/"))
        elif one.stamp is not None:
            belonging = folder.belonging(source.root, name, prefix)
            judged = belonging or judge(source, _beginning, folder.settings_for(name))
            yield folder.with_beside(judged, name, stack[-1].stamps.get)
        else:
            try:
                below = _sorted(root / relative)
            except OSError as error:
                yield unreadable(source, error)
            else:
                stack.append(_Listed(folder.inside(name, _names(below)), below))


class _Listed:
    """A folder on the way, and what is still to be seen of its listing."""

    def __init__(self, folder: Folder, found: list[Found]) -> None:
        self.folder = folder
        self.found = iter(found)
        self.stamps = {one.path.rpartition("/")[2]: one.stamp for one in found}


def _alone(one: Found, root: Address) -> _Listed:
    """An object that is a root, with what lies beside it."""
    around = _sorted(root.parent)
    names = _names(around)
    folder = Folder("", [name for name in settings_beside(root.name) if name in names], ())
    beside = find_companions(names, is_called_photograph).of.get(root.name, ())
    folder.companions = Companions({root.name: beside})
    listed = _Listed(folder, around)
    listed.found = iter([one])
    return listed


def _names(found: list[Found]) -> list[str]:
    return [one.path.rpartition("/")[2] for one in found]


def _sorted(folder: Address) -> list[Found]:
    return sorted(objects.list_folder(folder), key=lambda one: one.path.encode())


def _is_odd(relative: str) -> bool:
    # s3fs would take what follows "?versionId=" for a version.
    return not _NO_PARTS.isdisjoint(relative.split("/")) or "?versionId=" in relative


def _odd(source: Source) -> Unfit:
    message = (
        f"{source.relative}: a key with an empty part, '.', '..' or '?versionId=' is no path; "
        "copy what has it to another key"
    )
    where = (source.root, source.relative)
    return Unfit(*where, "target-name", message, failed=True, prefix=source.prefix)


def _beginning(source: Source) -> bytes:
    if not source.stamp.size:
        return b""
    place = source.place
    assert isinstance(place, Address)  # noqa: S101
    return objects.read_part(place, MAGIC_LENGTH, 0)
