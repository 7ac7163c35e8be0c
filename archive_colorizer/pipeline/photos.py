"""The whole story of a run: from directories of scans to the same directories in color."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from archive_colorizer.discovery.bagit import read_bag, vouched
from archive_colorizer.discovery.photo_settings import with_own
from archive_colorizer.discovery.walk import walk
from archive_colorizer.errors import DependencyError, UsageError
from archive_colorizer.executors.executor import Executor
from archive_colorizer.image.metadata.c2pa import check_credentials
from archive_colorizer.location import Place
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.output.ownership import hold
from archive_colorizer.output.recovery import open_work
from archive_colorizer.pipeline.memory import weighed
from archive_colorizer.pipeline.request import Order
from archive_colorizer.pipeline.run_session import (
    Tell,
    _workplace,
    open_painter,
    open_run,
    tell_nobody,
)
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Source, Unfit
from archive_colorizer.restore.photo import restore_photos
from archive_colorizer.run.driver import RunContext, Watch, drive, watch_nothing
from archive_colorizer.run.plan import Step, plan
from archive_colorizer.run.signals import Stop
from archive_colorizer.run.summary import Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Loan:
    """What a run gets from whoever starts one after the other; see the inbox module.

    stop: heard since before the run.  executor: whose processes may outlive it.  wanted:
    which entries it is about; the others are left for a later run and not accounted for.
    """

    stop: Stop
    executor: Callable[[Callable[[], Executor]], Executor]
    wanted: Callable[[Source | Unfit], bool]


def restore_archive(
    order: Order,
    watch: Watch = watch_nothing,
    tell: Tell = tell_nobody,
    loan: Loan | None = None,
) -> Summary:
    """Restore what an order names; the manifest in its output accounts for every file.

    `watch` sees every outcome.  Raises what the errors module lists for models, devices,
    outputs and other runs; never for what one photograph does.
    """
    _check_libraries(order.recipe)
    with open_run(order.output, order.recipe, tell, loan.stop if loan else None) as opening:
        work, folder = open_work(order.output, opening.name)
        place = _workplace(order, folder, opening.share.threads)
        hire = partial(opening.executor, place, order.roots)
        return drive(
            map(
                weighed,
                plan(
                    filter(loan.wanted if loan else None, _entries(order)),
                    opening.manifest,
                    place,
                    order.retry_failed,
                    order.redo,
                ),
            ),
            RunContext(
                executor=loan.executor(hire) if loan else hire(),
                task=partial(restore_photos, workplace=place),
                manifest=opening.manifest,
                work=work,
                stop=opening.stop,
                opening=opening.provenance(order.roots, order.command, place),
                watch=watch,
                adopted=opening.adopted,
            ),
        )


def check_ready(order: Order, tell: Tell) -> None:
    """Raise now what a run of this order would raise before its first file."""
    _check_libraries(order.recipe)
    open_painter(order.recipe, tell)
    with hold(order.output):
        pass


def count_files(roots: Sequence[Place]) -> int:
    """How many files a run will look at, for its progress; quick, since nothing is opened.

    0 where that is not known: a store would be listed twice.
    """
    files = [root for root in roots if isinstance(root, Path)]
    if len(files) < len(roots):
        return 0
    return sum(
        1 if root.is_file() else sum(len(names) for _, _, names in os.walk(root)) for root in files
    )


def list_steps(order: Order) -> Iterator[Step]:
    """What a run of this order would do, and what it would leave; writes nothing."""
    manifest = Manifest.peek(order.output)
    place = _workplace(order, "", 1)
    return plan(_entries(order), manifest, place, order.retry_failed, order.redo)


def _check_libraries(recipe: Recipe) -> None:
    """What a recipe needs beyond the plain installation is missed here, not in every file."""
    if recipe.luma == "lossless" and find_spec("jpeglib") is None:
        raise DependencyError(
            "--luma lossless needs jpeglib; run: pip install 'archive-colorizer[lossless]'"
        )
    if recipe.c2pa:
        if not (recipe.cert and recipe.key):
            raise UsageError("--c2pa needs a certificate and its key; give --cert and --key")
        check_credentials(Path(recipe.cert), Path(recipe.key))


def _entries(order: Order) -> Iterator[Source | Unfit]:
    return with_own(_found(order), order.recipe, order.overriding)


def _found(order: Order) -> Iterator[Source | Unfit]:
    for root in order.roots:
        prefix = root.name if len(order.roots) > 1 else ""
        payload = read_bag(root) if isinstance(root, Path) else None
        if payload is None:
            yield from walk(root, prefix)
        else:
            yield from vouched(walk(payload.folder, prefix), payload, prefix)
