"""What a run over photographs was asked for, checked before anything is read."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from archive_colorizer.discovery.walk import walk
from archive_colorizer.errors import SourceError, UsageError
from archive_colorizer.location import Address, Place
from archive_colorizer.recipe.overrides import NO_OVERRIDES, Overriding
from archive_colorizer.recipe.recipe import Recipe, check_together
from archive_colorizer.restore.reference import pinned
from archive_colorizer.storage.overlap import check_apart, real
from archive_colorizer.storage.reading import is_object


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be restored, where to, and how.

    roots: directories, single files, or addresses of either in a store.  With several, each
    one's results go to a folder of the output that has its name.  redo: the only names to
    restore, again if need be.  command: the words of the command line, for the manifest.
    overriding: which settings single photographs may have for themselves.
    """

    roots: tuple[Place, ...]
    output: Place
    recipe: Recipe
    retry_failed: bool = False
    redo: frozenset[str] | None = None
    command: tuple[str, ...] = ()
    overriding: Overriding = NO_OVERRIDES


def place_order(
    roots: Sequence[Place],
    output: Place | None,
    recipe: Recipe,
    *,
    retry_failed: bool = False,
    redo: frozenset[str] | None = None,
    command: tuple[str, ...] = (),
    overriding: Overriding = NO_OVERRIDES,
) -> Order:
    """An Order whose places are checked, before anything is read.

    The output of a single root is by default beside it, with `-colorized` after its name.
    Raises UsageError for places that overlap, settings that cannot stand together and a reference
    that is no photograph in color, and SourceError for a root that is not there.
    """
    there = tuple(real(root) for root in roots)
    if len({root.name for root in there}) < len(there):
        raise UsageError("two of the directories have the same name; restore them one by one")
    if output is None:
        if len(there) > 1:
            raise UsageError("several directories need an --output to put their results in")
        output = _beside(there[0])
    check_apart(there, output)
    check_together(recipe)
    for root in there:
        _check_readable(root)
    return Order(
        roots=there,
        output=real(output),
        recipe=pinned(recipe),
        retry_failed=retry_failed,
        redo=redo,
        command=command,
        overriding=overriding,
    )


def _beside(root: Place) -> Place:
    """Where results go unless told otherwise."""
    if isinstance(root, Address):
        if not root.key:
            raise UsageError(f"{root} is a whole bucket, which needs an --output for its results")
        name = root.stem if is_object(root) else root.name
        return root.parent / f"{name}-colorized"
    name = root.stem if root.is_file() else root.name
    return root.with_name(f"{name}-colorized")


def _check_readable(root: Place) -> None:
    if isinstance(root, Address):
        # Asks for what the walk will ask for again: a run that begins must find its scans.
        next(walk(root), None)
    elif not os.access(root, os.R_OK):
        said = "cannot be read" if root.exists() else "there is no such file or directory"
        raise SourceError(f"{root}: {said}")
