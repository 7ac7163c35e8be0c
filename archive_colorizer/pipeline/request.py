"""Validate what a run is asked for, before anything is read."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict

from archive_colorizer.discovery.walk import walk
from archive_colorizer.errors import SourceError, UsageError
from archive_colorizer.location import Location, ObjectLocation
from archive_colorizer.model.colorizer import hash_model
from archive_colorizer.model.registry import find_model
from archive_colorizer.recipe.overrides import NO_OVERRIDE_RULES, OverrideRules
from archive_colorizer.recipe.recipe import FilmRecipe, Recipe
from archive_colorizer.records.jobs import JobContext
from archive_colorizer.restore.reference import pin_reference
from archive_colorizer.storage.overlap import check_no_overlap, resolve_links
from archive_colorizer.storage.reading import get_storage


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """State what a run restores, where to, and how.

    roots: directories, files, or addresses of either in a store.  With several, the results of
    each go to a folder of the output that has its name.  command: the words of the command
    line, for the manifest.
    """

    roots: tuple[Location, ...]
    output: Location
    recipe: Recipe
    film: FilmRecipe | None = None
    retry_failed: bool = False
    command: tuple[str, ...] = ()

    def build_context(self, threads: int) -> JobContext:
        """Build the context of all jobs, without a work folder; raises ModelError."""
        recipe = self.recipe
        # Workers have other working directories.
        cert, key = (
            str(Path(file).absolute()) if file else "" for file in (recipe.cert, recipe.key)
        )
        return JobContext(
            output=str(self.output),
            work="",
            recipe=replace(recipe, cert=cert, key=key),
            threads=threads,
            film=self.film,
            **find_models(recipe),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreRequest(RunRequest):
    """Request the restoration of photographs.

    redo: the only names to restore, even if they are done.  overriding: which settings single
    photographs may override.
    """

    redo: frozenset[str] | None = None
    overriding: OverrideRules = NO_OVERRIDE_RULES


def validate_request(
    roots: Sequence[Location],
    output: Location | None,
    recipe: Recipe,
    *,
    retry_failed: bool = False,
    redo: frozenset[str] | None = None,
    command: tuple[str, ...] = (),
    overriding: OverrideRules = NO_OVERRIDE_RULES,
) -> RestoreRequest:
    """Validate a request for photographs.

    The default output of a single root is next to it, with `-colorized` after its name.  Raises
    UsageError for paths that overlap, settings that exclude each other and a reference that is
    not a photograph in color, and SourceError for a missing root.
    """
    real_roots = tuple(resolve_links(root) for root in roots)
    check_distinct_names(real_roots, "directories")
    if output is None:
        if len(real_roots) > 1:
            raise UsageError("several directories need an --output to put their results in")
        output = choose_default_output(real_roots[0])
    check_no_overlap(real_roots, output)
    recipe.check_combination()
    for root in real_roots:
        check_readable(root)
    return RestoreRequest(
        roots=real_roots,
        output=resolve_links(output),
        recipe=pin_reference(recipe),
        retry_failed=retry_failed,
        redo=redo,
        command=command,
        overriding=overriding,
    )


def check_distinct_names(roots: Sequence[Location], noun: str) -> None:
    """Raise UsageError if two roots, which are `noun`, have the same name."""
    if len({root.name for root in roots}) < len(roots):
        raise UsageError(f"two of the {noun} have the same name; restore them one by one")


def choose_default_output(root: Location) -> Location:
    """Return the folder next to a root that has `-colorized` after its name."""
    if isinstance(root, ObjectLocation):
        if not root.key:
            raise UsageError(f"{root} is a whole bucket, which needs an --output for its results")
        name = root.stem if get_storage(root).is_file() else root.name
        return root.parent / f"{name}-colorized"
    name = root.name if root.is_dir() else root.stem
    return root.with_name(f"{name}-colorized")


def check_readable(root: Location) -> None:
    """Raise SourceError if a root is missing or cannot be read."""
    if isinstance(root, ObjectLocation):
        # A store raises when the first entry is listed.
        next(walk(root), None)
    elif not os.access(root, os.R_OK):
        problem = "cannot be read" if root.exists() else "there is no such file or directory"
        raise SourceError(f"{root}: {problem}")


class _ModelFields(TypedDict):
    """Name the fields of a JobContext that describe its networks."""

    model: str
    model_sha256: str
    merge: str
    merge_sha256: str


def find_models(recipe: Recipe) -> _ModelFields:
    """Find the model files of a recipe and their digests; raises ModelError."""
    model = find_model(recipe.model)
    merge = find_model(recipe.merge) if recipe.merge else None
    return _ModelFields(
        model=str(model),
        model_sha256=hash_model(model),
        merge=str(merge) if merge else "",
        merge_sha256=hash_model(merge) if merge else "",
    )
