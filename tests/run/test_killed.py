"""Whole runs in processes of their own: killed, interrupted, two at once, on a full disk."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from archive_colorizer.errors import ExitCode
from tests.executors.tasks import scans
from tests.locations import REPOSITORY_ROOT

COUNT = 40
REPOSITORY = REPOSITORY_ROOT


class Archive:
    """A root, an output, and runs over them."""

    def __init__(self, folder: Path, output: Path | None = None) -> None:
        self.root = scans(folder / "in", COUNT)
        self.output = output or folder / "out"

    def start(self, executor: str, *seconds: float) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.run.small_run"]
        command += [str(self.root), str(self.output), executor, *map(str, seconds)]
        return subprocess.Popen(
            command,
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self) -> str:
        process = self.start("serial", 0)
        out, err = process.communicate(timeout=100)
        assert process.returncode == 0, err
        assert err == ""
        return out

    def results(self) -> dict[Path, tuple[int, int]]:
        """Every result is whole; inode and time of each."""
        found = {}
        for path in self.output.rglob("*.jpg"):
            name = path.relative_to(self.output)
            assert path.read_bytes() == b"made of " + (self.root / name).read_bytes()
            found[name] = (path.stat().st_ino, path.stat().st_mtime_ns)
        return found

    def wait_for(self, count: int, process: subprocess.Popen[str]) -> None:
        end = time.monotonic() + 60
        while len(list(self.output.rglob("*.jpg"))) < count:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.01)


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]


def kill_all(process: subprocess.Popen[str]) -> None:
    for one in family(process):
        one.kill()


@pytest.mark.parametrize("executor", ["serial", "dask"])
@pytest.mark.parametrize("kill", [kill_all, subprocess.Popen.kill], ids=["all", "parent"])
def test_killed_and_resumed(
    tmp_path: Path, executor: str, kill: Callable[[subprocess.Popen[str]], None]
) -> None:
    archive = Archive(tmp_path)
    chance = random.Random(1)  # noqa: S311
    before: dict[Path, tuple[int, int]] = {}
    for _ in range(2):
        process = archive.start(executor, 0.05)
        archive.wait_for(len(before) + chance.randrange(2, 9), process)
        time.sleep(chance.random() * 0.1)
        everybody = family(process)
        kill(process)
        process.communicate()
        _, left = psutil.wait_procs(everybody, timeout=10)
        assert not left
        now = archive.results()
        assert before.items() <= now.items()
        before = now
    assert 0 < len(before) < COUNT
    assert archive.finish() == f"{COUNT - len(before)} done, 0 failed\n"
    after = archive.results()
    assert len(after) == COUNT
    assert before.items() <= after.items()
    assert archive.finish() == "0 done, 0 failed\n"
    assert archive.results() == after
    assert [path.name for path in (archive.output / ".work").iterdir()] == ["lock"]


@pytest.mark.parametrize("executor", ["serial", "dask"])
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_and_resumed(tmp_path: Path, executor: str, signum: signal.Signals) -> None:
    archive = Archive(tmp_path)
    process = archive.start(executor, 0.05)
    archive.wait_for(3, process)
    everybody = family(process)
    os.killpg(process.pid, signum)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 128 + signum
    assert err == ""
    _, left = psutil.wait_procs(everybody, timeout=5)
    assert not left
    made = archive.results()
    assert 0 < len(made) < COUNT
    assert out == f"{len(made)} done, 0 failed\n"
    assert [path.name for path in (archive.output / ".work").iterdir()] == ["lock"]
    assert archive.finish() == f"{COUNT - len(made)} done, 0 failed\n"
    assert made.items() <= archive.results().items()


@pytest.mark.parametrize("executor", ["serial", "dask"])
def test_the_second_interrupt_stops_at_once(tmp_path: Path, executor: str) -> None:
    archive = Archive(tmp_path)
    for number in range(6):
        (archive.root / f"z{number}.jpg").write_bytes(b"sleep")
    process = archive.start(executor, 0)
    archive.wait_for(COUNT, process)
    time.sleep(0.5)
    everybody = family(process)
    for _ in range(2):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.3)
    out, err = process.communicate(timeout=10)
    assert process.returncode == ExitCode.INTERRUPTED
    assert (out, err) == (f"{COUNT} done, 0 failed\n", "")
    assert not psutil.wait_procs(everybody, timeout=5)[1]


@pytest.fixture
def slow(tmp_path: Path) -> Archive:
    """So few files, to be restored so slowly, that each is a batch of its own."""
    archive = Archive(tmp_path)
    for path in sorted(archive.root.rglob("*.jpg"))[8:]:
        path.unlink()
    return archive


def test_time_in_which_a_run_is_suspended_counts_for_no_file(slow: Archive) -> None:
    """As by Ctrl-Z and fg, a job that Slurm suspends, or a container that is frozen."""
    process = slow.start("dask", 1.5, 4.0)
    slow.wait_for(2, process)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGSTOP)
    time.sleep(8)
    os.killpg(process.pid, signal.SIGCONT)
    out, err = process.communicate(timeout=100)
    assert (process.returncode, out, err) == (0, "8 done, 0 failed\n", "")


def test_workers_that_are_stopped_cost_no_file(slow: Archive) -> None:
    process = slow.start("dask", 1.5, 4.0)
    slow.wait_for(2, process)
    time.sleep(0.5)
    for worker in psutil.Process(process.pid).children(recursive=True):
        if not worker.children() and "resource_tracker" not in " ".join(worker.cmdline()):
            worker.suspend()
    out, err = process.communicate(timeout=100)
    assert (process.returncode, out, err) == (0, "8 done, 0 failed\n", "")


def test_two_at_once(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    first = archive.start("serial", 0.05)
    archive.wait_for(1, first)
    second = archive.start("serial", 0)
    _, err = second.communicate(timeout=30)
    assert second.returncode == ExitCode.BUSY
    assert f"another run (pid {first.pid}" in err
    assert first.communicate(timeout=60)[0] == f"{COUNT} done, 0 failed\n"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid():
        pytest.skip("needs root to mount a small tmpfs")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize(
    ("small", "large"),
    [("size=128k", "size=8m"), ("size=8m,nr_inodes=20", "nr_inodes=1000")],
    ids=["space", "inodes"],
)
def test_a_full_disk(tmp_path: Path, small_disk: Path, small: str, large: str) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", small, "tmpfs", str(small_disk)]
    subprocess.run(mount, check=True)
    archive = Archive(tmp_path, small_disk / "out")
    for executor in ("dask", "serial"):
        process = archive.start(executor, 0)
        _, err = process.communicate(timeout=60)
        assert process.returncode == ExitCode.OUTPUT
        assert "No space left on device" in err
        assert not list(small_disk.rglob("*.tmp"))
    made = archive.results()
    assert 0 < len(made) < COUNT
    subprocess.run(["mount", "-o", f"remount,{large}", str(small_disk)], check=True)
    assert archive.finish() == f"{COUNT - len(made)} done, 0 failed\n"
    assert made.items() <= archive.results().items()
