"""`archive-colorize doctor`: can a run work on this machine, or on a cluster, and with what?"""

import os
import platform
from collections.abc import Iterator, Sequence
from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING

import click

from archive_colorizer._version import __version__
from archive_colorizer.cli.options import cluster_options, words
from archive_colorizer.errors import ArchiveColorizerError, DependencyError, DeviceError, ExitCode

if TYPE_CHECKING:
    from archive_colorizer.executors.cluster.health_check import Report

_OPTIONAL = ("torch", "onnx", "scikit-image")


@click.command(epilog="Example: archive-colorize doctor --device cuda")
@click.option(
    "--device",
    default="auto",
    **words("auto|cpu|cuda|tensorrt"),
    help="Fail unless a session really runs there.",
)
@cluster_options
def command(
    device: str,
    scheduler: str | None,
    tls_ca: str | None,
    tls_cert: str | None,
    tls_key: str | None,
) -> int:
    """Say what this machine has, and whether a run can work here.

    With --scheduler: what each worker of that cluster has.

    Ends with 0 when a run works, with 3 when something that it needs is missing, and with 4
    when a worker has another model.
    """
    from archive_colorizer.device import parse_device

    parse_device(device)
    _show("archive-colorizer", __version__)
    if scheduler is None:
        return _machine(device)
    return _cluster(device, scheduler, [file or "" for file in (tls_ca, tls_cert, tls_key)])


def _machine(device: str) -> int:
    from archive_colorizer.executors.threads import cores

    _show("python", f"{platform.python_version()} on {platform.platform()}")
    for name, version in _versions():
        _show(name, version)
    _show("cores", f"{cores()} of {os.cpu_count()}")
    _show("memory", _memory())
    troubles = [*_doubled_runtime(), *_models(), *_providers(device)]
    for trouble in troubles:
        click.echo(f"trouble: {trouble}", err=True)
    click.echo("a run works here" if not troubles else "a run does not work here as it is")
    return ExitCode.DEPENDENCY if troubles else ExitCode.OK


def _cluster(device: str, scheduler: str, tls: Sequence[str]) -> int:
    """A line for each worker; the exit code is that of a run there."""
    from archive_colorizer.executors.cluster.config import Cluster
    from archive_colorizer.executors.cluster.survey import survey
    from archive_colorizer.pipeline.run_session import models_of
    from archive_colorizer.recipe.recipe import Recipe
    from archive_colorizer.records.jobs import Workplace
    from archive_colorizer.restore.model_cache import try_models

    recipe = Recipe(device=device)
    trial = partial(try_models, Workplace("", "", recipe, **models_of(recipe)))
    ca, cert, key = tls
    asked = Cluster(scheduler=scheduler, ca=ca, cert=cert, key=key, trial=trial)
    troubles = []
    for one in survey(asked):
        if one.trouble is not None:
            troubles.append(one.trouble)
            click.echo(f"trouble: {one.trouble}", err=True)
        elif one.report is None:
            _show(f"worker {one.address}", "no answer; it is at others' work, or left")
        else:
            _show(f"worker {one.report.who}", _told(one.report, one.threads))
    click.echo("a run works there" if not troubles else "a run does not work there as it is")
    return troubles[0].exit_code if troubles else ExitCode.OK


def _told(report: "Report", threads: int) -> str:
    return (
        f"{report.version}, {report.words}, {report.slots} of {threads} threads, "
        f"{report.memory / 1e9:.1f} GB for each picture"
    )


def _show(what: str, value: str) -> None:
    click.echo(f"{what:28} {value}")


def _versions() -> Iterator[tuple[str, str]]:
    """The libraries of a run, as the installed package names them, then the optional ones."""
    required = metadata.requires("archive-colorizer") or []
    names = [line for line in required if "extra ==" not in line]
    for name in [_bare(line) for line in names] + list(_OPTIONAL):
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            if name in _OPTIONAL:
                yield name, "not installed (optional)"


def _bare(requirement: str) -> str:
    for index, one in enumerate(requirement):
        if not (one.isalnum() or one in "-_."):
            return requirement[:index]
    return requirement


def _memory() -> str:
    import psutil

    memory = psutil.virtual_memory()
    return f"{memory.available / 2**30:.1f} GiB free of {memory.total / 2**30:.1f} GiB"


def _doubled_runtime() -> Iterator[str]:
    """Both builds of onnxruntime write into one folder, and the CPU build wins in silence."""
    found = []
    for name in ("onnxruntime", "onnxruntime-gpu"):
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    if len(found) > 1:
        yield (
            f"{' and '.join(found)} are both installed and overwrite each other; uninstall both, "
            "then install archive-colorizer again"
        )


def _models() -> Iterator[str]:
    from archive_colorizer.model.colorizer import digest_of_model
    from archive_colorizer.model.registry import models_at_hand

    models = models_at_hand()
    for name, path in models.items():
        size = path.stat().st_size / 1e6
        _show(f"model {name}", f"{size:.1f} MB, sha256 {digest_of_model(path)}")
    if "default" not in models:
        yield "the default model is not installed; install archive-colorizer again"


def _cards() -> None:
    from archive_colorizer.device import ask_driver, has_driver, visible_cards

    if not has_driver():
        _show("NVIDIA driver", "not loaded")
        return
    for card in ask_driver("index,name,memory.total,memory.used,driver_version,compute_cap"):
        _show("NVIDIA card", card)
    _show("cards for a run", ", ".join(visible_cards()) or "none")


def _providers(device: str) -> Iterator[str]:
    from archive_colorizer.device import Device
    from archive_colorizer.model import colorizer, runtime
    from archive_colorizer.model.registry import find_model

    try:
        _cards()
        model = find_model("default")
        loading = colorizer.providers_that_load(model)
        for name, loads in loading.items():
            _show(name, "loads" if loads else "listed, but a session does not get it")
        if not loading.get(runtime.CUDA):
            _show("why no CUDA", runtime.why_no_cuda())
        elif not loading.get(runtime.TENSORRT):
            _show("why no TensorRT", runtime.why_missing(Device("tensorrt")))
        opened = colorizer.open_colorizer(model, device=device)
        _show("a run uses", opened.provider)
    except (DependencyError, DeviceError) as error:
        yield str(error)
    except ArchiveColorizerError as error:
        yield f"the default model does not open: {error}"
