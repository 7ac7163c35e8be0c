"""`archive-colorize doctor`: check whether a run works on this machine or on a cluster."""

import os
import platform
import re
from collections.abc import Iterator
from functools import partial
from importlib import metadata

import click

from archive_colorizer._version import __version__
from archive_colorizer.cli.options import cluster_options, make_option
from archive_colorizer.errors import ArchiveColorizerError, DependencyError, DeviceError, ExitCode

_OPTIONAL = ("torch", "onnx", "scikit-image")


@click.command(epilog="Example: archive-colorize doctor --device cuda")
@make_option(
    "--device",
    "Fail unless a session really runs there.",
    "auto",
    "auto|cpu|cuda|tensorrt",
    default="auto",
)
@cluster_options
def command(device: str, scheduler: str | None, insecure: bool | None, **tls: str | None) -> int:
    """Show what this machine has, and check whether a run works here.

    With --scheduler, show and check each worker of that cluster.

    The exit code is 0 when a run works, 3 when something that it needs is missing, and 4
    when a worker has another model.
    """
    from archive_colorizer.device import Device

    Device.parse(device)
    _show("archive-colorizer", __version__)
    if scheduler is None:
        return _check_machine(device)
    return _check_cluster(device, scheduler, bool(insecure), tls)


def _check_machine(device: str) -> int:
    import psutil

    from archive_colorizer.executors.threads import count_cores

    _show("python", f"{platform.python_version()} on {platform.platform()}")
    for name, version in _iter_versions():
        _show(name, version)
    _show("cores", f"{count_cores()} of {os.cpu_count()}")
    try:
        memory = psutil.virtual_memory()
        free, total = memory.available / 2**30, memory.total / 2**30
        _show("memory", f"{free:.1f} GiB free of {total:.1f} GiB")
    except OSError as error:
        # Without /proc.
        _show("memory", f"unknown: {error}")
    _show("open", "no port: the processes of a run are reached through pipes alone")
    troubles = [*_find_duplicate_runtime(), *_check_models(), *_check_providers(device)]
    for trouble in troubles:
        click.echo(f"trouble: {trouble}", err=True)
    click.echo("a run works here" if not troubles else "a run does not work here as it is")
    return ExitCode.DEPENDENCY if troubles else ExitCode.OK


def _check_cluster(device: str, scheduler: str, insecure: bool, tls: dict[str, str | None]) -> int:
    """Print a line for each worker and return the exit code of a run there."""
    from archive_colorizer.executors.cluster.config import Cluster
    from archive_colorizer.executors.cluster.health_check import inspect_workers
    from archive_colorizer.pipeline.request import find_models
    from archive_colorizer.recipe.recipe import Recipe
    from archive_colorizer.records.jobs import JobContext
    from archive_colorizer.restore.model_cache import try_models

    recipe = Recipe(device=device)
    trial = partial(try_models, JobContext("", "", recipe, **find_models(recipe)))
    ca, cert, key = (tls[f"tls_{name}"] or "" for name in ("ca", "cert", "key"))
    cluster = Cluster(
        scheduler=scheduler, ca=ca, cert=cert, key=key, insecure=insecure, trial=trial
    )
    if insecure:
        _show("open", "the scheduler, to anyone who reaches it, unless its address is tls://")
    troubles = []
    for worker in inspect_workers(cluster):
        if worker.error is not None:
            troubles.append(worker.error)
            click.echo(f"trouble: {worker.error}", err=True)
        elif worker.report is None:
            _show(f"worker {worker.address}", "no answer; it is busy with other work or has left")
        else:
            report, gigabytes = worker.report, worker.report.memory / 1e9
            slots = (
                f"{report.slots} of {worker.threads} threads, {gigabytes:.1f} GB for each picture"
            )
            _show(f"worker {report.worker}", f"{report.version}, {report.trial_result}, {slots}")
    click.echo("a run works there" if not troubles else "a run does not work there as it is")
    return troubles[0].exit_code if troubles else ExitCode.OK


def _show(label: str, value: str) -> None:
    click.echo(f"{label:28} {value}")


def _get_version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def _iter_versions() -> Iterator[tuple[str, str]]:
    """Yield the versions of the libraries that a run requires, then of the optional ones."""
    required = metadata.requires("archive-colorizer") or []
    names = [re.split(r"[^\w.-]", line)[0] for line in required if "extra ==" not in line]
    for name in (*names, *_OPTIONAL):
        if version := _get_version(name):
            yield name, version
        elif name in _OPTIONAL:
            yield name, "not installed (optional)"


def _find_duplicate_runtime() -> Iterator[str]:
    """Find two builds of onnxruntime, which share a folder so that the CPU build wins silently."""
    builds = ("onnxruntime", "onnxruntime-gpu")
    installed = [f"{name} {version}" for name in builds if (version := _get_version(name))]
    if len(installed) > 1:
        yield (
            f"{' and '.join(installed)} are both installed and overwrite each other; uninstall "
            "both, then install archive-colorizer again"
        )


def _check_models() -> Iterator[str]:
    from archive_colorizer.model.colorizer import hash_model
    from archive_colorizer.model.registry import list_models

    models = list_models()
    for name, path in models.items():
        size = path.stat().st_size / 1e6
        _show(f"model {name}", f"{size:.1f} MB, sha256 {hash_model(path)}")
    if "default" not in models:
        yield "the default model is not installed; install archive-colorizer again"


def _show_cards() -> None:
    from archive_colorizer.device import has_driver, list_visible_gpus, query_gpus

    if not has_driver():
        _show("NVIDIA driver", "not loaded")
        return
    for card in query_gpus("index,name,memory.total,memory.used,driver_version,compute_cap"):
        _show("NVIDIA card", card)
    _show("cards for a run", ", ".join(list_visible_gpus()) or "none")


def _check_providers(device: str) -> Iterator[str]:
    from archive_colorizer.device import Device
    from archive_colorizer.model import runtime
    from archive_colorizer.model.colorizer import open_colorizer, read_model
    from archive_colorizer.model.registry import find_model

    try:
        _show_cards()
        model = find_model("default")
        loads_by_provider = runtime.probe_providers(read_model(model))
        for name, loads in loads_by_provider.items():
            _show(name, "loads" if loads else "listed, but no session can use it")
        if not loads_by_provider.get(runtime.CUDA):
            _show("why no CUDA", runtime.explain_missing(Device("cuda")))
        elif not loads_by_provider.get(runtime.TENSORRT):
            _show("why no TensorRT", runtime.explain_missing(Device("tensorrt")))
        session = open_colorizer(model, device=device)
        _show("a run uses", session.provider)
    except (DependencyError, DeviceError) as error:
        yield str(error)
    except ArchiveColorizerError as error:
        yield f"the default model does not open: {error}"
