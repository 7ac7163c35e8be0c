"""The output breaks: the run ends and says why, and the same command again makes it whole."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archive_colorizer.errors import ExitCode, OutputError
from archive_colorizer.records.outcomes import State
from tests.faults.archive import Archive

NAMES = ("a", "b", "c", "d")


def _is_temporary(path: str) -> bool:
    return path.endswith(".tmp")


def _is_journal(path: str) -> bool:
    return ".work/" in path and path.endswith(".jsonl")


def _is_the_folder(path: str) -> bool:
    return path.endswith("/out")


def _is_the_manifest(path: str) -> bool:
    return path.endswith("/manifest.jsonl")


PLACES = [_is_temporary, _is_journal, _is_the_folder, _is_the_manifest]
CALLS = [("fsync", errno.EIO), ("fsync", errno.ENOSPC), ("write", errno.ENOSPC)]
TROUBLE = [
    (wrong, name, number)
    for wrong in PLACES
    for name, number in CALLS
    if (wrong, name) != (_is_the_folder, "write")
]


def failing(
    real: Callable[..., Any], number: int, wrong: Callable[[str], bool], after: int
) -> Callable[..., Any]:
    """The call, but on files that are `wrong` it fails from the time `after` on."""
    calls = 0

    def call(descriptor: int, *given: object) -> Any:
        nonlocal calls
        if wrong(str(Path(f"/proc/self/fd/{descriptor}").readlink())):
            calls += 1
            if calls > after:
                raise OSError(number, os.strerror(number))
        return real(descriptor, *given)

    return call


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to know the file")
@pytest.mark.parametrize(("wrong", "name", "number"), TROUBLE)
@pytest.mark.parametrize("after", [0, 2])
def test_a_call_that_fails(
    archive: Archive,
    monkeypatch: pytest.MonkeyPatch,
    wrong: Callable[[str], bool],
    name: str,
    number: int,
    after: int,
) -> None:
    archive.put(*NAMES)
    before = archive.originals()
    monkeypatch.setattr("archive_colorizer.manifest.manifest._MAX_SECONDS", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(os, name, failing(getattr(os, name), number, wrong, after))
        with pytest.raises(OutputError, match=os.strerror(number)):
            archive.run()
    assert not list(archive.output.rglob("*.tmp"))
    made = archive.results()
    assert len(made) < len(NAMES)
    assert "failed" not in archive.reasons().values()
    summary = archive.run()
    assert summary.failed == 0
    assert summary.done + summary.unchanged[State.DONE] + summary.adopted >= len(NAMES)
    assert made.items() <= archive.results().items()
    assert archive.reasons() == dict.fromkeys(NAMES, "done")
    archive.assert_clean()
    assert archive.originals() == before


def _is_work_folder(path: str) -> bool:
    return path.endswith("/.work") or path.rpartition("/")[0].endswith("/.work")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to know the file")
def test_the_folders_of_new_names_are_synced(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.put(*NAMES)
    synced: list[str] = []
    real = os.fsync

    def note(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    archive.run()
    output = os.fspath(archive.output)
    manifest, work = f"{output}/manifest.jsonl", f"{output}/.work"
    (run,) = {path for path in synced if path.rpartition("/")[0] == work}
    journal = next(path for path in synced if _is_journal(path))
    assert synced.index(output) < synced.index(manifest)
    assert synced.index(work) < synced.index(run) < synced.index(journal)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to know the file")
@pytest.mark.parametrize("number", [errno.EINVAL, errno.EIO])
def test_a_work_folder_that_cannot_be_synced(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Some file systems sync no folders; an error of the disk ends the run."""
    archive.put(*NAMES)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing(os.fsync, number, _is_work_folder, 0))
        if number == errno.EINVAL:
            assert archive.run().done == len(NAMES)
            return
        with pytest.raises(OutputError, match=os.strerror(number)):
            archive.run()
    assert archive.run().done == len(NAMES)
    archive.assert_clean()


COMMAND = "import sys; from archive_colorizer.cli import run_program; sys.exit(run_program({}))"
LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)); " + COMMAND
KILLED = (
    "import os, signal; from archive_colorizer.manifest.manifest import Recorder; "
    "Recorder.add = lambda *_: os.kill(os.getpid(), signal.SIGKILL); " + COMMAND
)


def in_a_process(code: str, archive: Archive) -> subprocess.CompletedProcess[str]:
    words = ["run", archive.scans, "--output", archive.output, "--model", archive.model]
    words += ["--executor", "serial", "--quiet"]
    said = code.format([os.fspath(word) for word in words])
    return subprocess.run([sys.executable, "-c", said], capture_output=True, text=True)


def test_a_file_that_may_not_grow(archive: Archive) -> None:
    """The system itself refuses, as it does for a quota."""
    archive.put(*NAMES)
    done = in_a_process(LIMITED, archive)
    assert done.returncode == ExitCode.OUTPUT
    assert os.strerror(errno.EFBIG) in done.stderr
    assert "Traceback" not in done.stderr
    assert not archive.results()
    assert not list(archive.output.rglob("*.tmp"))
    assert archive.run().done == len(NAMES)
    archive.assert_clean()


def test_killed_between_journal_and_manifest(archive: Archive) -> None:
    archive.put(*NAMES)
    done = in_a_process(KILLED, archive)
    assert done.returncode == -signal.SIGKILL
    made = archive.results()
    assert set(made) == {"a"}
    assert not archive.reasons()
    summary = archive.run()
    assert (summary.adopted, summary.done, summary.failed) == (1, 3, 0)
    assert made.items() <= archive.results().items()
    archive.assert_clean()
