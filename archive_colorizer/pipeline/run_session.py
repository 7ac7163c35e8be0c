"""Open a run: check its models, own its output, recover its manifest, catch signals."""

import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Final, TypeAlias
from uuid import uuid4

from archive_colorizer._version import __version__
from archive_colorizer.device import Device
from archive_colorizer.executors.allocation import WorkerAllocation, allocate_cores, allocate_gpus
from archive_colorizer.executors.cluster.config import Cluster
from archive_colorizer.executors.environment import lower_priority
from archive_colorizer.executors.executor import Executor, Task, open_executor
from archive_colorizer.executors.limits import Limits
from archive_colorizer.location import Location
from archive_colorizer.manifest.manifest import Manifest
from archive_colorizer.model.colorizer import open_colorizer
from archive_colorizer.model.ensemble import Ensemble
from archive_colorizer.model.registry import find_model
from archive_colorizer.model.runtime import CPU
from archive_colorizer.output.journal import RecoverableWork, sweep
from archive_colorizer.output.ownership import acquire_output
from archive_colorizer.pipeline.request import RunRequest
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import JobContext
from archive_colorizer.records.outcomes import Provenance
from archive_colorizer.restore.model_cache import try_models
from archive_colorizer.run.driver import OutcomeCallback, RunContext, run_jobs
from archive_colorizer.run.plan import Step
from archive_colorizer.run.signals import Stop, stop_on_signals
from archive_colorizer.run.summary import Summary

Notify: TypeAlias = Callable[[str], None]
"""Takes messages about the run itself."""

_LIBRARIES: Final = (
    "numpy opencv-python-headless onnxruntime-gpu onnxruntime dask "
    "pyvips-binary simplejpeg tifffile imagecodecs pillow av scenedetect"
).split()


def ignore_message(_message: str) -> None:
    """Ignore messages about the run."""


@dataclass(slots=True, kw_only=True)
class RunSession:
    """Hold what a run needs while it may write in its output.

    name: unique.  context: of all jobs, without a work folder.  adopted: how many results of a
    killed run were recovered, and not yet reported in a Summary.
    """

    name: str
    request: RunRequest
    context: JobContext
    provenance: Provenance
    manifest: Manifest
    stop: Stop
    workers: WorkerAllocation
    adopted: int
    notify: Notify
    _has_provenance: bool = False

    def run(
        self,
        steps: Iterable[Step],
        task: Task,
        work: RecoverableWork,
        executor: Executor,
        on_outcome: OutcomeCallback,
    ) -> Summary:
        """Bring every step to its end and record it; closes the executor and the work folder."""
        run = RunContext(
            executor=executor,
            task=task,
            manifest=self.manifest,
            work=work,
            stop=self.stop,
            provenance=None if self._has_provenance else self.provenance,
            on_outcome=on_outcome,
            adopted=self.adopted,
        )
        summary = run_jobs(steps, run)
        self.adopted = 0
        self._has_provenance |= bool(summary.done or summary.failed or summary.skipped)
        return summary

    def create_executor(self, roots: Sequence[Location]) -> Executor:
        """Create the executor that the recipe asks for; workers must be able to read `roots`."""
        recipe, workers = self.request.recipe, self.workers
        limits = Limits(recipe.timeout, int(min(recipe.max_memory, 1e6) * 1e9))
        if not recipe.scheduler:
            return open_executor(recipe.executor, workers, limits)
        output = self.request.output
        cluster = Cluster(
            scheduler=recipe.scheduler,
            ca=recipe.tls_ca,
            cert=recipe.tls_cert,
            key=recipe.tls_key,
            insecure=recipe.insecure,
            # All workers read the same store.
            roots=tuple(root for root in roots if isinstance(root, Path)),
            output=output if isinstance(output, Path) else None,
            trial=partial(try_models, self.context),
            niceness=recipe.nice,
            notify=self.notify,
        )
        return open_executor("cluster", workers, limits, cluster)


@contextmanager
def open_session(
    request: RunRequest, notify: Notify, stop: Stop | None = None
) -> Iterator[RunSession]:
    """Open a run of the request; `notify` gets warnings about its beginning.

    stop: of a caller that catches signals already.  Raises ModelError, DeviceError, OutputBusy
    and OutputError before anything is restored.
    """
    recipe = request.recipe
    lower_priority(recipe.nice)
    ensemble = open_ensemble(recipe, notify)
    model, licence, provider = ensemble.name, ensemble.licence, ensemble.provider
    del ensemble  # The memory of a GPU belongs to the workers.
    workers = allocate_workers(recipe, provider)
    stopping = stop_on_signals(budget=recipe.time_budget) if stop is None else nullcontext(stop)
    with (
        acquire_output(request.output) as output,
        stopping as stop,
        output.sync_manifest(),
        Manifest.open(output.folder, output.check_ownership) as manifest,
    ):
        for warning in filter(None, (output.warning, manifest.warning)):
            notify(warning)
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid4().hex[:8]}"
        adopted = sweep(output.folder, manifest)
        context = request.build_context(workers.threads)
        yield RunSession(
            name=name,
            request=request,
            context=context,
            provenance=_build_provenance(name, request, context, model, licence, provider),
            manifest=manifest,
            stop=stop,
            workers=workers,
            adopted=adopted,
            notify=notify,
        )


def _build_provenance(
    name: str, request: RunRequest, context: JobContext, model: str, licence: str, provider: str
) -> Provenance:
    film = {} if context.film is None else {"film": context.film.as_dict()}
    return Provenance(
        run=name,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        version=__version__,
        command=request.command,
        host=platform.node(),
        roots=tuple(str(root) for root in request.roots),
        recipe={**context.recipe.as_dict(), **film},
        settings=context.settings,
        model=model,
        model_sha256=context.models_sha256,
        model_licence=licence,
        # Workers of a cluster may have other providers; each outcome names its own.
        provider=request.recipe.scheduler or provider,
        libraries=dict(_list_versions()),
    )


def open_ensemble(recipe: Recipe, notify: Notify) -> Ensemble:
    """Open the networks of a recipe in this process; for a cluster on this machine's CPU.

    Raises ModelError, DeviceError, and UsageError for a working size that a model cannot take.
    """
    device = "cpu" if recipe.scheduler else recipe.device
    colorizers = (
        open_colorizer(find_model(name), device=device, size=recipe.working_size)
        for name in filter(None, (recipe.model, recipe.merge))
    )
    ensemble = Ensemble.build(colorizers, recipe)
    notify(f"model {ensemble.name} on {recipe.scheduler or ensemble.provider}")
    return ensemble


def allocate_workers(recipe: Recipe, provider: str) -> WorkerAllocation:
    """Allocate processes with a core each, or one for each GPU if networks run there."""
    if recipe.scheduler:
        return WorkerAllocation(recipe.workers, threads=1)
    if provider == CPU:
        return allocate_cores(recipe.workers)
    return allocate_gpus(recipe.workers, Device.parse(recipe.device))


def _list_versions() -> Iterator[tuple[str, str]]:
    yield "python", platform.python_version()
    for name in _LIBRARIES:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
