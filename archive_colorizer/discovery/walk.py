"""Find the photographs below a root, and account for everything else there."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from archive_colorizer.discovery.classify import classify, is_photograph_name
from archive_colorizer.discovery.companions import Companions
from archive_colorizer.discovery.folder import Folder
from archive_colorizer.errors import FailureReason, SourceError, UsageError
from archive_colorizer.image.signatures import MAGIC_LENGTH
from archive_colorizer.location import Location
from archive_colorizer.recipe.overrides import OVERRIDES_FILE
from archive_colorizer.records.jobs import NO_STAMP, RejectedEntry, Source
from archive_colorizer.storage.interface import EntryKind
from archive_colorizer.storage.local import LocalStorage
from archive_colorizer.storage.object_storage import ObjectStorage
from archive_colorizer.storage.reading import get_storage

_REJECTED: dict[EntryKind, tuple[str, str, bool]] = {
    "link": ("symlink", "{} is a link", False),
    "special": ("special-file", "{} is a fifo, socket or device", False),
    "bad-key": (
        FailureReason.TARGET_NAME,
        (
            "{}: a key with an empty part, '.', '..' or '?versionId=' is no path; "
            "copy what has it to another key"
        ),
        True,
    ),
}
"""Reason, message, and whether it counts as a failure."""


def walk(root: Location, prefix: str = "") -> Iterator[Source | RejectedEntry]:
    """Yield everything below `root` that is no folder, in an order that is the same everywhere.

    Depth first, names in the order of their bytes.  A file costs one `lstat`, a thousand objects
    cost one request; only those without a picture's extension are opened, for 16 bytes.  Links
    are never followed below the root.  A root that is a file or an object yields just that.
    Sources name the files of settings for them; links to some are named and fail when they are
    read.  Memory grows with the largest folder, not with the tree.  Raises SourceError when the
    root is missing or cannot be listed, and UsageError for a bag in a store.
    """
    location = root
    if isinstance(root, Path):
        # Path.absolute keeps "..", which hides overlaps.
        location = Path(os.path.abspath(root))  # noqa: PTH100
    try:
        top, folder = _enter_root(location)
    except OSError as error:
        raise _describe_root_error(root, error) from None
    yield from _visit(top, folder, prefix)


def attach_companions(source: Source) -> Source:
    """Attach the pictures next to a file that was not found by `walk`."""
    with suppress(OSError):
        listing = get_storage(source.path.parent).list_folder()
        companions = Companions.find(listing.names, is_photograph_name)
        return companions.attach(source, source.path.name, listing)
    return source


def _enter_root(root: Location) -> tuple[Location, Folder]:
    """Choose the folder that the walk begins with; raises OSError."""
    with suppress(NotADirectoryError):
        listing = get_storage(root).list_folder()
        if isinstance(root, Path):
            return root, Folder("", listing)
        if "bagit.txt" in listing.names:
            raise UsageError(
                f"{root} is a bag, whose checksums are not read in a store; copy it to a disk first"
            )
        if listing.names or not root.key:
            return root, Folder("", listing)
    parent, name = root.parent, root.name
    settings = OVERRIDES_FILE, f"{name}.{OVERRIDES_FILE}"
    try:
        listing = get_storage(parent).list_folder()
    except PermissionError:
        if not isinstance(parent, Path):
            raise
        existing = [other for other in settings if os.path.lexists(parent / other)]
        listing = LocalStorage(parent).list_folder(existing)
    listing.inspect(name)
    folder = Folder("", listing, [other for other in settings if other in listing.names])
    folder.remaining = iter([name])
    # A companion that is asked for itself counts as a photograph.
    by_photograph = Companions.find(listing.names, is_photograph_name).by_photograph
    folder.companions = Companions({name: by_photograph.get(name, ())})
    return parent, folder


def _describe_root_error(root: Location, error: OSError) -> SourceError:
    if isinstance(root, Path):
        return SourceError(f"{root} cannot be read: {error.strerror}; check the path")
    if isinstance(error, FileNotFoundError):
        return SourceError(f"{root}: there is nothing at this address; check it")
    return ObjectStorage(root).describe_error(error)


def _visit(root: Location, top: Folder, prefix: str) -> Iterator[Source | RejectedEntry]:
    # A stack of its own, because Python's ends at some hundred levels.
    stack = [top]
    while stack:
        folder = stack[-1]
        name = next(folder.remaining, None)
        if name is None:
            stack.pop()
            continue
        relative = folder.join(name.removesuffix("/"))
        try:
            entry = folder.listing.inspect(name)
            if entry.kind == "folder":
                listing = get_storage(root / relative).list_folder()
                stack.append(folder.enter(name.removesuffix("/"), listing))
                continue
        except OSError as error:
            yield Source(str(root), relative, NO_STAMP, prefix).reject_unreadable(error)
            continue
        source = Source(str(root), folder.join(name), entry.stamp or NO_STAMP, prefix)
        companion = None if entry.kind == "bad-key" else folder.reject_companion(source, name)
        if companion is not None:
            yield companion
        elif entry.kind == "file":
            owner = folder.find_settings_owner(name)
            yield folder.attach(classify(source, _read_beginning, owner), name)
        else:
            reason, message, failed = _REJECTED[entry.kind]
            yield source.reject(reason, message.format(source.relative), failed=failed)


def _read_beginning(source: Source) -> bytes:
    return get_storage(source.location).read_beginning(MAGIC_LENGTH, source.stamp)
