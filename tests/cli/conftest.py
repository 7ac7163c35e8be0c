import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from archive_colorizer.cli import run_program
from archive_colorizer.color.space import compute_luma
from tests.model.networks import constant_model
from tests.photographs import photograph


@pytest.fixture(scope="session")
def installed():
    """The installed command, as a user has it, in a process of its own."""
    beside = Path(sys.executable).with_name("archive-colorize")
    path = str(beside) if beside.exists() else shutil.which("archive-colorize")
    assert path, "install the project first: pip install -e '.[test]'"

    def run(*arguments, **settings):
        settings = {"capture_output": True, "text": True, "timeout": 240, **settings}
        return subprocess.run([path, *map(os.fspath, arguments)], **settings)

    run.path = path
    return run


@pytest.fixture
def command(capfd, monkeypatch):
    """The function behind the installed command, in this process, which is much faster."""

    def run(*arguments):
        words = list(map(os.fspath, arguments))
        capfd.readouterr()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["archive-colorize", *words])
            code = run_program(words)
        return subprocess.CompletedProcess(words, code, *capfd.readouterr())

    return run


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A model that paints every picture in one color."""
    return constant_model(tmp_path_factory.mktemp("models") / "constant.onnx")


@pytest.fixture
def scans(tmp_path):
    """Three grey photographs in two folders."""
    folder = tmp_path / "scans"
    (folder / "box").mkdir(parents=True)
    for name, place in (("chelsea", "a.png"), ("rocket", "b.jpg"), ("coffee", "box/c.tif")):
        Image.fromarray(compute_luma(photograph(name))).save(folder / place)
    return folder
