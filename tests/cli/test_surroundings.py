"""What a command finds missing around it: its working directory, temporary folders, /proc."""

import shlex
import subprocess
import tempfile

import pytest

from archive_colorizer.errors import OutputError
from archive_colorizer.storage.temporary import make_temporary_folder


@pytest.fixture
def removed(installed, tmp_path):
    """Run the installed command in a working directory that was removed."""

    def run(*words):
        gone = tmp_path / "gone"
        gone.mkdir()
        line = f"cd {gone}; rmdir {gone}; {shlex.join([installed.path, *map(str, words)])}"
        return subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=240)

    return run


def test_whole_paths_need_no_working_directory(removed, scans, model):
    run = removed("run", scans, "--model", model, "--executor", "serial")
    assert run.returncode == 0, run.stderr
    output = scans.with_name("scans-colorized")
    assert removed("verify", output, "--deep").returncode == 0
    assert removed("report", output, "--format", "html").returncode == 0
    assert removed("doctor").returncode == 0


@pytest.mark.parametrize(
    "words",
    [
        ["run", "scans"],
        ["run", "{scans}", "--output", "out"],
        ["run", "{scans}", "--model", "{model}", "--executor", "serial", "--reference", "a.png"],
        ["film", "reel.mkv"],
        ["watch", "inbox"],
        ["verify", "out"],
        ["bag", "/out", "bag"],
        ["report", "/out", "--output", "report"],
        ["sample", "here"],
        ["models", "fetch", "--table", "table.toml"],
        ["recipe", "check", "recipe.toml"],
    ],
    ids=" ".join,
)
def test_a_relative_path_in_a_removed_directory_is_named(removed, scans, model, words):
    run = removed(*(word.format(scans=scans, model=model) for word in words))
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert "the working directory was removed" in run.stderr


@pytest.mark.parametrize("folder", ["/no/such/folder", "/dev/null", None])
def test_no_temporary_folder_is_said_with_what_to_do(monkeypatch, folder):
    with monkeypatch.context() as patch, pytest.raises(OutputError, match="TMPDIR"):
        patch.setattr(tempfile, "tempdir", folder)
        patch.setattr(tempfile, "_candidate_tempdir_list", list)
        with make_temporary_folder():
            pass


def test_doctor_needs_no_proc(command, monkeypatch):
    def fail():
        raise FileNotFoundError(2, "No such file or directory", "/proc/meminfo")

    monkeypatch.setattr("psutil.virtual_memory", fail)
    doctor = command("doctor")
    assert doctor.returncode == 0
    assert "unknown: " in doctor.stdout
