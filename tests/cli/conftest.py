import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from archive_colorizer.color.space import luma_of
from tests.model.networks import constant_model
from tests.photographs import photograph


@pytest.fixture(scope="session")
def command():
    """The installed command, as a user has it."""
    beside = Path(sys.executable).with_name("archive-colorize")
    found = str(beside) if beside.exists() else shutil.which("archive-colorize")
    assert found, "install the project first: pip install -e '.[test]'"

    def run(*arguments, **how):
        how = {"capture_output": True, "text": True, "timeout": 240, **how}
        return subprocess.run([found, *map(os.fspath, arguments)], **how)

    run.path = found
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
        Image.fromarray(luma_of(photograph(name))).save(folder / place)
    return folder
