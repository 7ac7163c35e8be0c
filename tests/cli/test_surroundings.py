"""What a command finds missing around it: its working directory, temporary folders, /proc."""

import json
import os
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
        gone.mkdir(exist_ok=True)
        line = f"cd {gone}; rmdir {gone}; {shlex.join([installed.path, *map(str, words)])}"
        return subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=240)

    return run


@pytest.mark.parametrize("executor", [["--executor", "serial"], ["--workers", "1"]], ids=" ".join)
def test_whole_paths_need_no_working_directory(removed, scans, model, executor):
    run = removed("run", scans, "--model", model, *executor)
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


LOCALES = {
    "utf-8": {"LC_ALL": "C.UTF-8"},
    "ascii": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


@pytest.mark.parametrize("order", [["utf-8", "ascii", "utf-8"], ["ascii", "utf-8"]], ids=str)
def test_a_run_in_another_locale_finds_its_names_again(installed, scans, model, order):
    (scans / "a.png").rename(scans / "münzen.png")
    (scans / "b.jpg").rename(scans / os.fsdecode(b"latin\xfc.jpg"))
    (scans / "box").rename(scans / "schränke")
    output = scans.with_name("scans-colorized")
    for turn, name in enumerate(order):
        environment = {**os.environ, **LOCALES[name]}
        words = ("run", scans, "--model", model, "--executor", "serial", "--json")
        run = installed(*words, env=environment)
        assert run.returncode == 0, run.stdout + run.stderr
        assert json.loads(run.stdout)["done"] == (3 if turn == 0 else 0)
        assert "no records" not in run.stderr
        assert installed("verify", output, "--deep", env=environment).returncode == 0
    manifest = (output / "manifest.jsonl").read_text()
    assert r'"name": "m\u00fcnzen.png"' in manifest
    assert r'"name": "latin\udcfc.jpg"' in manifest
