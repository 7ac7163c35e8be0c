"""How every run begins: the model open, the output held, signals heard, the manifest healed."""

import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Final, TypedDict
from uuid import uuid4

from archive_colorizer._version import __version__
from archive_colorizer.device import parse_device
from archive_colorizer.executors.allocation import Share, share_cards, share_cores
from archive_colorizer.executors.cluster.config import Cluster
from archive_colorizer.executors.environment import yield_to_others
from archive_colorizer.executors.executor import Executor, open_executor
from archive_colorizer.executors.limits import Limits
from archive_colorizer.location import Place, place_of
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.model.colorizer import digest_of_model, open_colorizer
from archive_colorizer.model.ensemble import Painter, painter_with
from archive_colorizer.model.registry import find_model
from archive_colorizer.model.runtime import CPU
from archive_colorizer.output.journal import sweep
from archive_colorizer.output.ownership import hold
from archive_colorizer.pipeline.request import Order
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Workplace
from archive_colorizer.records.outcomes import Provenance
from archive_colorizer.restore.model_cache import try_models
from archive_colorizer.run.signals import Stop, stop_on_signals

Tell = Callable[[str], None]
"""Takes sentences about the run itself."""


_LIBRARIES: Final = (
    "numpy opencv-python-headless onnxruntime-gpu onnxruntime dask "
    "pyvips-binary simplejpeg tifffile imagecodecs pillow av scenedetect"
).split()


def tell_nobody(_sentence: str) -> None:
    """For runs that nobody listens to."""


@dataclass(frozen=True, slots=True)
class Painted:
    """The networks of a run, as Painter tells of them."""

    name: str
    licence: str
    provider: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A run that has begun and may write in its output.

    name: no two runs have the same.  share: who restores.  adopted: how many results of a
    killed run were found.
    """

    name: str
    recipe: Recipe
    painted: Painted
    manifest: Manifest
    stop: Stop
    share: Share
    adopted: int
    tell: Tell = tell_nobody

    def executor(self, place: Workplace, roots: Sequence[Place]) -> Executor:
        """A new one, as the recipe asks for, to work at `place` on what is below `roots`."""
        recipe = self.recipe
        limits = Limits(recipe.timeout, int(min(recipe.max_memory, 1e6) * 1e9))
        if not recipe.scheduler:
            share = self.share
            return open_executor(recipe.executor, share.workers, share.threads, limits, share.team)
        output = place_of(place.output)
        cluster = Cluster(
            scheduler=recipe.scheduler,
            ca=recipe.tls_ca,
            cert=recipe.tls_cert,
            key=recipe.tls_key,
            # What lies in a store is the same for every worker, or not to be had.
            roots=tuple(root for root in roots if isinstance(root, Path)),
            output=output if isinstance(output, Path) else None,
            trial=partial(try_models, place),
            niceness=recipe.nice,
            tell=self.tell,
        )
        return open_executor("cluster", recipe.workers, self.share.threads, limits, cluster)

    def provenance(
        self, roots: Sequence[Place], command: tuple[str, ...], place: Workplace
    ) -> Provenance:
        """Who makes the outcomes of this run, and by what means."""
        film = {} if place.film is None else {"film": place.film.as_dict()}
        return Provenance(
            run=self.name,
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            version=__version__,
            command=command,
            host=platform.node(),
            roots=tuple(str(root) for root in roots),
            recipe={**place.recipe.as_dict(), **film},
            settings=place.settings,
            model=self.painted.name,
            model_sha256=place.models_sha256,
            model_licence=self.painted.licence,
            # Workers of a cluster may have others; each outcome has its own.
            provider=self.recipe.scheduler or self.painted.provider,
            libraries=dict(_versions()),
        )


@contextmanager
def open_run(
    output: Place, recipe: Recipe, tell: Tell, stop: Stop | None = None
) -> Iterator[Opening]:
    """Begin a run of this recipe that writes in `output`; `tell` hears how it begins.

    `stop` is that of a watch, which hears signals already.  Raises ModelError, DeviceError,
    OutputBusy and OutputError before anything is restored.
    """
    yield_to_others(recipe.nice)
    painted = _painted(recipe, tell)
    share = share_machine(recipe, painted.provider)
    heard = stop_on_signals(budget=recipe.time_budget) if stop is None else nullcontext(stop)
    with (
        hold(output) as held,
        heard as stop,
        held.keeping(),
        Manifest.open(held.folder, held.check) as manifest,
    ):
        for warning in filter(None, (held.warning, manifest.warning)):
            tell(warning)
        yield Opening(
            name=f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid4().hex[:8]}",
            recipe=recipe,
            painted=painted,
            manifest=manifest,
            stop=stop,
            share=share,
            adopted=sweep(held.folder, manifest),
            tell=tell,
        )


def open_painter(recipe: Recipe, tell: Tell) -> Painter:
    """The networks of a recipe, open in this process.

    For a cluster, whose devices are elsewhere, on this machine's CPU.  Raises ModelError,
    DeviceError, and UsageError for a size that one cannot take.
    """
    device = "cpu" if recipe.scheduler else recipe.device
    names = [recipe.model, *([recipe.merge] if recipe.merge else [])]
    opened = (
        open_colorizer(find_model(name), device=device, size=recipe.working_size) for name in names
    )
    painter = painter_with(opened, recipe)
    tell(f"model {painter.name} on {recipe.scheduler or painter.provider}")
    return painter


def _painted(recipe: Recipe, tell: Tell) -> Painted:
    """What is known of the networks of a recipe; they are closed again.

    The workers open their own, and the memory of a card is theirs.
    """
    painter = open_painter(recipe, tell)
    return Painted(painter.name, painter.licence, painter.provider)


def share_machine(recipe: Recipe, provider: str) -> Share:
    """Who restores: processes with a core each, or one for each card where networks run there."""
    if recipe.scheduler:
        return Share(recipe.workers, threads=1)  # beside a thread of somebody's worker
    if provider == CPU:
        return share_cores(recipe.workers)
    return share_cards(recipe.workers, parse_device(recipe.device))


def _versions() -> Iterator[tuple[str, str]]:
    yield "python", platform.python_version()
    for name in _LIBRARIES:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue


def _workplace(order: Order, work: str, threads: int) -> Workplace:
    return Workplace(
        output=str(order.output),
        work=work,
        recipe=anywhere(order.recipe),
        threads=threads,
        **models_of(order.recipe),
    )


class Models(TypedDict):
    """The fields of a Workplace that say which networks it has."""

    model: str
    model_sha256: str
    merge: str
    merge_sha256: str


def models_of(recipe: Recipe) -> Models:
    """The files that a recipe asks for, and their digests; raises ModelError."""
    model = find_model(recipe.model)
    merge = find_model(recipe.merge) if recipe.merge else None
    return Models(
        model=str(model),
        model_sha256=digest_of_model(model),
        merge=str(merge) if merge else "",
        merge_sha256=digest_of_model(merge) if merge else "",
    )


def anywhere(recipe: Recipe) -> Recipe:
    """The same for any working directory, as that of a worker on another machine."""
    return replace(recipe, cert=_absolute(recipe.cert), key=_absolute(recipe.key))


def _absolute(file: str) -> str:
    return str(Path(file).absolute()) if file else ""
