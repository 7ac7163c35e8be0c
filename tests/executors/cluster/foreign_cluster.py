"""A Dask cluster that is not ours: a scheduler and workers, each a process with its own folder."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.locations import REPOSITORY_ROOT

REPOSITORY = REPOSITORY_ROOT


def wait_until(is_so: Callable[[], object], seconds: float = 100.0) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, is_so
        time.sleep(0.05)


def lay_other_package(folder: Path, version: str) -> Path:
    """A folder for PYTHONPATH with another archive_colorizer, of which little is left."""
    package = folder / "archive_colorizer"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(f'"""Another one."""\n__version__ = "{version}"\n')
    return folder


@dataclass
class ForeignCluster:
    """Started with `start`; each process has a log and a working directory below `folder`.

    options: words for scheduler and workers, as the files for TLS.  before: words before each
    command, by the process's name, as `ip netns exec NAME`.
    """

    folder: Path
    options: Sequence[str] = ()
    host: str = "127.0.0.1"
    before: dict[str, Sequence[str]] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, *workers: str) -> "ForeignCluster":
        """A scheduler whose machine has no archive-colorizer, and workers of these names."""
        other = lay_other_package(self.folder / "scheduler-path", "0.0.1")
        self.start_scheduler(other)
        for name in workers:
            self.add_worker(name)
        return self

    def start_scheduler(self, path: Path, port: int = 0) -> None:
        file = self.folder / "scheduler.json"
        file.unlink(missing_ok=True)
        words = ["--port", str(port), "--no-dashboard", "--scheduler-file", str(file)]
        self._run("scheduler", "distributed.cli.dask_scheduler", words, path)
        wait_until(lambda: file.exists() and file.read_text().endswith("}"))

    @property
    def file(self) -> Path:
        return self.folder / "scheduler.json"

    @property
    def address(self) -> str:
        import json

        return str(json.loads(self.file.read_text())["address"])

    def add_worker(
        self, name: str, path: Path = REPOSITORY, threads: int = 1, **variables: str
    ) -> None:
        words = ["--scheduler-file", str(self.file), "--name", name, "--nthreads", str(threads)]
        words += ["--no-dashboard", "--local-directory", str(self.folder / f"{name}-spill")]
        self._run(name, "distributed.cli.dask_worker", words, path, variables)

    def _run(
        self,
        name: str,
        module: str,
        words: list[str],
        path: Path,
        variables: dict[str, str] | None = None,
    ) -> None:
        place = self.folder / name
        place.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "PYTHONPATH": str(path), **(variables or {})}
        with (place / "log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [
                    *self.before.get(name, ()),
                    *[sys.executable, "-m", module, *words, *self.options],
                    *(["--host", self.host] if name not in self.before else []),
                ],
                cwd=place,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def log(self, name: str) -> str:
        return (self.folder / name / "log").read_text(errors="replace")

    def wait_for_worker(self, name: str) -> None:
        wait_until(lambda: "Registered to:" in self.log(name))

    def family(self, name: str) -> list[psutil.Process]:
        """A worker's nanny, its worker process, and what runs beside that."""
        with suppress(psutil.NoSuchProcess):
            nanny = psutil.Process(self.processes[name].pid)
            return [nanny, *nanny.children(recursive=True)]
        return []

    def lanes(self, name: str) -> list[psutil.Process]:
        """The processes of runs beside a worker: children of fork servers."""
        found = []
        for one in self.family(name):
            with suppress(psutil.Error):
                parent = one.parent()
                if parent and "serve_forks" in " ".join(parent.cmdline()):
                    found.append(one)
        return found

    def worker_process(self, name: str) -> psutil.Process:
        """The process that is the Dask worker, below its nanny."""
        for one in self.family(name):
            with suppress(psutil.Error):
                if any("spawn_main" in word for word in one.cmdline()):
                    return one
        raise LookupError(name)

    def kill(self, name: str) -> None:
        """End a machine: all processes of a worker, or the scheduler, without a word."""
        for one in self.family(name):
            with suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGKILL)
        self.processes.pop(name).wait()

    def stop(self) -> None:
        for name in list(self.processes):
            self.kill(name)
