"""`doctor --scheduler`: what the workers of somebody's cluster have, before a night is spent."""

import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from archive_colorizer import __version__
from archive_colorizer.errors import ClusterError
from archive_colorizer.executors.cluster import health_check
from archive_colorizer.executors.cluster.client import SchedulerClient
from archive_colorizer.executors.cluster.config import Cluster
from archive_colorizer.executors.cluster.health_check import inspect_workers
from tests.executors.cluster.foreign_cluster import ForeignCluster, lay_other_package, wait_until
from tests.executors.cluster.test_executor import also, credentials

__all__ = ["also"]


def doctor(*words: str) -> "subprocess.CompletedProcess[str]":
    program = Path(sys.executable).with_name("archive-colorize")
    return subprocess.run([program, "doctor", *words], capture_output=True, text=True, timeout=200)


def test_each_worker_is_told_of_and_nothing_stays(foreign: ForeignCluster) -> None:
    said = doctor("--scheduler", str(foreign.file), "--insecure")
    assert said.returncode == 0, said.stderr
    for name in ("alice", "bob"):
        (line,) = [one for one in said.stdout.splitlines() if one.startswith(f"worker {name} on ")]
        assert f"{__version__}, CPUExecutionProvider, 1 of 1 threads, " in line
        assert line.endswith(" GB for each picture")
    assert said.stdout.endswith("a run works there\n")
    wait_until(lambda: not any(foreign.lanes(name) for name in ("alice", "bob")))


def test_one_worker_with_a_trouble_hides_no_other(
    foreign: ForeignCluster, also: Callable[..., None], tmp_path: Path
) -> None:
    also("carol", path=lay_other_package(tmp_path, "0.0.1"))
    said = doctor("--scheduler", foreign.address, "--insecure")
    assert said.returncode == 3
    assert said.stderr.count("trouble: ") == 1
    assert "No module named" in said.stderr
    assert "worker alice on " in said.stdout
    assert "worker bob on " in said.stdout
    assert "a run does not work there as it is" in said.stdout


def test_a_device_that_workers_lack(foreign: ForeignCluster) -> None:
    said = doctor("--scheduler", foreign.address, "--insecure", "--device", "cuda:9")
    assert said.returncode == 3
    assert said.stderr.count("trouble: worker ") == 2
    assert "worker alice on " in said.stderr
    assert "--device cuda" in said.stderr


def test_a_worker_at_work_for_others_is_no_trouble(
    foreign: ForeignCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_check, "_REPORT_TIMEOUT", 4.0)
    cluster = Cluster(scheduler=foreign.address, insecure=True)
    link = SchedulerClient.connect(cluster)
    busy, free = sorted(link.list_workers() or {})
    link.send(partial(time.sleep, 15), busy, "others")
    found = {one.address: one for one in inspect_workers(cluster)}
    link.close(5)
    assert (found[busy].report, found[busy].error) == (None, None)
    assert found[free].report is not None


def test_tls_and_a_scheduler_without_workers(tmp_path: Path) -> None:
    options = ["--protocol", "tls", *credentials(tmp_path)]
    cluster = ForeignCluster(tmp_path / "cluster", options)
    files = {one: str(tmp_path / f"{one}.pem") for one in ("ca", "cert", "key")}
    given = [word for one, file in files.items() for word in (f"--tls-{one}", file)]
    try:
        cluster.start()
        with pytest.raises(ClusterError, match="has no worker; start some"):
            list(inspect_workers(Cluster(scheduler=cluster.address, **files)))
        cluster.add_worker("dora", threads=2)
        cluster.wait_for_worker("dora")
        said = doctor("--scheduler", cluster.address, *given)
        without = doctor("--scheduler", cluster.address)
    finally:
        cluster.stop()
    assert said.returncode == 0, said.stderr
    assert "2 of 2 threads" in said.stdout
    assert without.returncode == 3
    assert "give --tls-ca" in without.stderr
