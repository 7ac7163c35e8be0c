"""Other users of this machine: what they lay out for a run, and what they can reach of one."""

import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

import psutil
import pytest

from archive_colorizer.executors.allocation import WorkerAllocation
from archive_colorizer.executors.executor import open_executor
from tests.executors.test_executor import batches, gather, note

NOBODY = 65534

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"), reason="plays another user: needs root"
)


def ask_as_nobody(*command: str | Path) -> "subprocess.CompletedProcess[str]":
    words = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder like /tmp, which everybody may write in."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def test_links_in_a_planted_scratch_folder_empty_no_file(tmp_path: Path, shared: Path) -> None:
    """Dask opens each lock that it finds there for writing, and follows links."""
    originals = [tmp_path / f"master{number}.tif" for number in range(3)]
    for original in originals:
        original.write_bytes(b"whole")
    for name in ("dask-scratch-space", f"dask-scratch-space-{os.geteuid()}"):
        folder = shared / name
        folder.mkdir()
        for link, original in zip(
            ("a.dirlock", "global.lock", "purge.lock"), originals, strict=True
        ):
            (folder / link).symlink_to(original)
        folder.chmod(0o777)
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
    with open_executor("dask", WorkerAllocation(2, 1)) as executor:
        gather(executor, note, batches(4))
    assert [original.read_bytes() for original in originals] == [b"whole"] * 3
    assert {path.name.removesuffix(f"-{os.geteuid()}") for path in shared.iterdir()} == {
        "dask-scratch-space"
    }


def test_a_folder_in_a_shared_place_is_private_and_has_no_name_to_guess(shared: Path) -> None:
    names = set()
    for _ in range(2):
        with open_executor("dask", WorkerAllocation(1, 1)) as executor:
            gather(executor, note, batches(1))
            (folder,) = shared.iterdir()
            names.add(folder.name)
            assert stat.S_IMODE(folder.lstat().st_mode) == 0o700
    assert len(names) == 2
    assert not list(shared.iterdir())


@needs_root
def test_another_user_reaches_nothing_of_a_run(shared: Path) -> None:
    shared.parent.chmod(0o755)
    with open_executor("dask", WorkerAllocation(2, 1)) as executor:
        outcomes = gather(executor, note, batches(4))
        (folder,) = shared.iterdir()
        assert ask_as_nobody("ls", folder).returncode != 0
        worker = psutil.Process(int(outcomes[0].provider or ""))
        for process in (psutil.Process(), worker, worker.parent()):
            assert process is not None
            assert ask_as_nobody("ls", f"/proc/{process.pid}/fd/").returncode != 0
            bound = [one for one in process.net_connections("unix") if one.laddr]
            assert not [one for one in bound if "colorize" in str(one.laddr)]
