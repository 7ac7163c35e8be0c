"""Files on a disk below paths that are longer than the system takes at once."""

import json
import os

import pytest
from PIL import Image


@pytest.fixture
def deep(tmp_path):
    """A photograph below folders whose path has more than 4,096 bytes."""
    Image.new("L", (8, 8), 90).save(tmp_path / "a.png")
    scans = tmp_path / "scans"
    scans.mkdir()
    folder = os.open(scans, os.O_RDONLY)
    for _ in range(25):
        os.mkdir("é" * 100, dir_fd=folder)
        inner = os.open("é" * 100, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.rename(tmp_path / "a.png", "a.png", dst_dir_fd=folder)
    os.close(folder)
    return scans


def test_a_photograph_below_a_long_path_is_restored(deep, model, command):
    options = ("--model", model, "--executor", "serial", "--json")
    run = command("run", deep, *options)
    assert json.loads(run.stdout)["done"] == 1, run.stdout
    assert json.loads(command("run", deep, *options).stdout)["unchanged"]["done"] == 1
    output = deep.with_name("scans-colorized")
    assert command("verify", output, "--deep").returncode == 0
