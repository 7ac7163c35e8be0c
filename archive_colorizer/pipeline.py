"""The whole story of a run: from directories of scans to the same directories in color."""

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

from archive_colorizer import __version__
from archive_colorizer.errors import DependencyError, SourceError, UsageError
from archive_colorizer.media.credentials import check_credentials
from archive_colorizer.media.discover import walk
from archive_colorizer.model.colorizer import Colorizer, digest_of_model, open_colorizer
from archive_colorizer.model.shelf import find_model
from archive_colorizer.recipe import Recipe
from archive_colorizer.records import Provenance, Source, Unfit, Workplace
from archive_colorizer.restore.photo import restore_photos
from archive_colorizer.run.bag import read_bag, vouched
from archive_colorizer.run.driver import Run, Watch, drive, watch_nothing
from archive_colorizer.run.executor import open_executor
from archive_colorizer.run.limits import Limits
from archive_colorizer.run.lock import hold_output
from archive_colorizer.run.manifest import Manifest
from archive_colorizer.run.plan import Step, check_apart, plan
from archive_colorizer.run.signals import stop_on_signals
from archive_colorizer.run.summary import Summary
from archive_colorizer.run.threads import cores
from archive_colorizer.run.workfolder import WorkFolder, sweep

Tell = Callable[[str], None]
"""Takes sentences about the run itself."""


def tell_nobody(_sentence: str) -> None:
    """For runs that nobody listens to."""


_LIBRARIES = (
    "numpy opencv-python-headless onnxruntime-gpu onnxruntime dask "
    "pyvips-binary simplejpeg tifffile imagecodecs pillow av scenedetect"
).split()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be restored, where to, and how.

    roots: directories or single files.  With several, each one's results go to a folder of
    the output that has its name.  command: the words of the command line, for the manifest.
    """

    roots: tuple[Path, ...]
    output: Path
    recipe: Recipe
    retry_failed: bool = False
    command: tuple[str, ...] = ()


def place_order(
    roots: Sequence[Path],
    output: Path | None,
    recipe: Recipe,
    *,
    retry_failed: bool = False,
    command: tuple[str, ...] = (),
) -> Order:
    """An Order whose paths are checked, before anything is read.

    The output of a single root is by default beside it, with `-colorized` after its name.
    Raises UsageError for paths that overlap, and SourceError for a root that is not there.
    """
    real = tuple(Path(os.path.realpath(root)) for root in roots)
    if len({root.name for root in real}) < len(real):
        raise UsageError("two of the directories have the same name; restore them one by one")
    if output is None:
        if len(real) > 1:
            raise UsageError("several directories need an --output to put their results in")
        name = real[0].stem if real[0].is_file() else real[0].name
        output = real[0].with_name(f"{name}-colorized")
    check_apart(real, output)
    for root in real:
        if not os.access(root, os.R_OK):
            said = "cannot be read" if root.exists() else "there is no such file or directory"
            raise SourceError(f"{root}: {said}")
    return Order(
        roots=real,
        output=Path(os.path.realpath(output)),
        recipe=recipe,
        retry_failed=retry_failed,
        command=command,
    )


def restore_archive(
    order: Order, watch: Watch = watch_nothing, tell: Tell = tell_nobody
) -> Summary:
    """Restore what an order names; the manifest in its output accounts for every file.

    `watch` sees every outcome.  Raises what the errors module lists for models, devices,
    outputs and other runs; never for what one photograph does.
    """
    _check_libraries(order.recipe)
    model = find_model(order.recipe.model)
    colorizer = open_colorizer(model, device=order.recipe.device)
    tell(f"model {colorizer.contract.name} on {colorizer.provider}")
    run = name_run()
    with (
        hold_output(order.output),
        stop_on_signals() as stop,
        Manifest.open(order.output) as manifest,
    ):
        if manifest.warning:
            tell(manifest.warning)
        adopted = sweep(order.output, manifest)
        work = WorkFolder.open(order.output, run)
        workers, threads = share_cores(order.recipe.workers)
        place = _workplace(order, str(work.path), model, threads)
        return drive(
            plan(_entries(order), manifest, place, order.retry_failed),
            Run(
                executor=open_executor(
                    order.recipe.executor, workers, threads, limits_of(order.recipe)
                ),
                task=partial(restore_photos, workplace=place),
                manifest=manifest,
                work=work,
                stop=stop,
                opening=provenance(order.roots, order.command, run, colorizer, place),
                watch=watch,
                adopted=adopted,
            ),
        )


def name_run() -> str:
    """A name for a run that begins now; no two runs have the same."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid4().hex[:8]}"


def count_files(roots: Sequence[Path]) -> int:
    """How many files a run will look at, for its progress; quick, since nothing is opened."""
    return sum(
        1 if root.is_file() else sum(len(files) for _, _, files in os.walk(root)) for root in roots
    )


def list_steps(order: Order) -> Iterator[Step]:
    """What a run of this order would do, and what it would leave; writes nothing."""
    model = find_model(order.recipe.model)
    manifest = Manifest.peek(order.output)
    return plan(_entries(order), manifest, _workplace(order, "", model, 1), order.retry_failed)


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
    for root in order.roots:
        prefix = root.name if len(order.roots) > 1 else ""
        payload = read_bag(root)
        if payload is None:
            yield from walk(root, prefix)
        else:
            yield from vouched(walk(payload.folder, prefix), payload, prefix)


def _workplace(order: Order, work: str, model: Path, threads: int) -> Workplace:
    return Workplace(
        output=str(order.output),
        work=work,
        recipe=order.recipe,
        model=str(model),
        model_sha256=digest_of_model(model),
        threads=threads,
    )


def share_cores(workers: int) -> tuple[int, int]:
    """Worker processes, and the threads that each may use; 0 workers are one a core."""
    at_hand = cores()
    workers = workers or at_hand
    return workers, max(1, at_hand // workers)


def limits_of(recipe: Recipe) -> Limits:
    """What a recipe lets one worker take."""
    return Limits(recipe.timeout, int(min(recipe.max_memory, 1e6) * 1e9))


def provenance(
    roots: Sequence[Path],
    command: tuple[str, ...],
    run: str,
    colorizer: Colorizer,
    place: Workplace,
) -> Provenance:
    """Who makes the outcomes of the run `run`, and by what means."""
    film = {} if place.film is None else {"film": place.film.as_dict()}
    return Provenance(
        run=run,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        version=__version__,
        command=command,
        host=platform.node(),
        roots=tuple(str(root) for root in roots),
        recipe={**place.recipe.as_dict(), **film},
        settings=place.settings,
        model=colorizer.contract.name,
        model_sha256=place.model_sha256,
        model_licence=colorizer.contract.licence,
        provider=colorizer.provider,
        libraries=dict(_versions()),
    )


def _versions() -> Iterator[tuple[str, str]]:
    yield "python", platform.python_version()
    for name in _LIBRARIES:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
