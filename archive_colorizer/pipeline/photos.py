"""Restore directories of photographs: discover, plan, run the jobs, summarize."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from archive_colorizer.discovery.bagit import walk_root
from archive_colorizer.discovery.photo_settings import apply_overrides
from archive_colorizer.errors import DependencyError, UsageError
from archive_colorizer.executors.executor import Executor
from archive_colorizer.image.codecs.header import estimate_picture_memory
from archive_colorizer.image.metadata.c2pa import check_credentials
from archive_colorizer.location import Location, ObjectLocation
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.output.ownership import acquire_output
from archive_colorizer.output.recovery import open_work
from archive_colorizer.pipeline.request import RestoreRequest
from archive_colorizer.pipeline.run_session import (
    Notify,
    ignore_message,
    open_ensemble,
    open_session,
)
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Job, RejectedEntry, Source
from archive_colorizer.restore.photo import restore_photos
from archive_colorizer.run.driver import OutcomeCallback, ignore_outcome
from archive_colorizer.run.plan import Step, plan
from archive_colorizer.run.signals import Stop
from archive_colorizer.run.summary import Summary

_LARGE_FILE: Final = 1 << 19
"""Bytes of a JPEG from which its header is read for an estimate of memory."""
_JPEG_NAMES: Final = (".jpg", ".jpeg", ".jpe")
_LARGE_OBJECT: Final = 16 << 20
"""The same for an object of any format in a store, whose header costs a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedRun:
    """Let one of several runs, as a watch starts them, use what outlives it.

    stop: of the caller, which catches signals.  borrow_executor: gets a function that creates
    an executor, and may return an earlier one.  selects: which entries this run restores; it
    does not account for others.
    """

    stop: Stop | None = None
    borrow_executor: Callable[[Callable[[], Executor]], Executor] = lambda create: create()
    selects: Callable[[Source | RejectedEntry], bool] = lambda _entry: True


def restore_archive(
    request: RestoreRequest,
    on_outcome: OutcomeCallback = ignore_outcome,
    notify: Notify = ignore_message,
    shared: SharedRun = SharedRun(),
) -> Summary:
    """Restore the photographs of a request, and account for every file in the manifest.

    Raises ModelError, DeviceError, OutputBusy and OutputError; never for one photograph.
    """
    _check_libraries(request.recipe)
    with open_session(request, notify, shared.stop) as session:
        work, folder = open_work(request.output, session.name)
        context = replace(session.context, work=folder)
        entries = filter(shared.selects, _find_entries(request))
        steps = plan(entries, session.manifest, context, request.retry_failed, request.redo)
        return session.run(
            map(_estimate_memory, steps),
            partial(restore_photos, context=context),
            work,
            shared.borrow_executor(partial(session.create_executor, request.roots)),
            on_outcome,
        )


def check_ready(request: RestoreRequest, notify: Notify) -> None:
    """Raise what a run of this request would raise before its first file."""
    _check_libraries(request.recipe)
    open_ensemble(request.recipe, notify)
    with acquire_output(request.output):
        pass


def count_files(roots: Sequence[Location]) -> int:
    """Count the files that a run will look at, for its progress; 0 if a root is in a store."""
    files = [root for root in roots if isinstance(root, Path)]
    if len(files) < len(roots):
        return 0
    return sum(
        1 if root.is_file() else sum(len(names) for _, _, names in os.walk(root)) for root in files
    )


def list_steps(request: RestoreRequest) -> Iterator[Step]:
    """List what a run of this request would do; writes nothing."""
    manifest, context = Manifest.peek(request.output), request.build_context(threads=1)
    return plan(_find_entries(request), manifest, context, request.retry_failed, request.redo)


def _check_libraries(recipe: Recipe) -> None:
    """Raise once, and not for every file, if an extra or a certificate is missing."""
    if recipe.luma == "lossless" and find_spec("jpeglib") is None:
        raise DependencyError(
            "--luma lossless needs jpeglib; run: pip install 'archive-colorizer[lossless]'"
        )
    if recipe.c2pa:
        if not (recipe.cert and recipe.key):
            raise UsageError("--c2pa needs a certificate and its key; give --cert and --key")
        check_credentials(Path(recipe.cert), Path(recipe.key))


def _find_entries(request: RestoreRequest) -> Iterator[Source | RejectedEntry]:
    entries = (
        entry
        for root in request.roots
        for entry in walk_root(root, root.name if len(request.roots) > 1 else "")
    )
    return apply_overrides(entries, request.recipe, request.overriding)


def _estimate_memory(step: Step) -> Step:
    """Set the memory that a job's pictures take, so that large ones do not run together.

    Opens no small JPEG, of which an archive has millions, unless it has masks: other formats
    compress so well that few bytes may be many pixels.
    """
    if not isinstance(step, Job):
        return step
    source = step.source
    if not source.beside and _is_small(source):
        return step
    companions = (source.location.parent / companion.name for companion in source.beside)
    paths = (source.location, *companions)
    return replace(step, memory=sum(estimate_picture_memory(path) for path in paths))


def _is_small(source: Source) -> bool:
    size = source.stamp.size
    # Building the location of each of a million small files would take too long.
    if size < _LARGE_FILE and source.relative.lower().endswith(_JPEG_NAMES):
        return True
    return size < _LARGE_OBJECT and isinstance(source.location, ObjectLocation)
