"""A network that was made elsewhere, once its file says how it is to be run, runs like ours."""

import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from tests.locations import REPOSITORY_ROOT

pytest.importorskip("torch", reason="Keras exports through torch")
if find_spec("keras") is None:  # not imported here, where its backend would leak
    pytest.skip("the example needs keras", allow_module_level=True)
pytest.importorskip("onnxscript", reason="export needs the train extra")

from archive_colorizer.model.colorizer import open_colorizer
from archive_colorizer.restore.photo import restore_photo
from tests.restore.studio import Studio, grey, luma_error

ROOT = REPOSITORY_ROOT
SCRIPT = ROOT / "docs" / "keras" / "train_autoencoder.py"


@pytest.fixture(scope="module")
def model(tar, tmp_path_factory):
    """The example's model file after a few steps, from a process with a backend of its own."""
    path = tmp_path_factory.mktemp("keras") / "keras.onnx"
    small = "--size 64 --batch 4 --steps 8 --epochs 3 --rate 0.01 --widths 8 16 --repeats 1 2"
    told = subprocess.run(
        [sys.executable, SCRIPT, tar, path, *small.split()],
        capture_output=True,
        text=True,
        env=os.environ | {"KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
    )
    assert told.returncode == 0, told.stderr[-2000:]
    losses = [float(line.split("loss: ")[1]) for line in told.stdout.splitlines() if "loss" in line]
    assert losses[-1] < losses[0]
    return path


def test_the_file_stands_alone_and_says_what_it_takes(model):
    contract = open_colorizer(model, device="cpu").contract
    assert contract.family == "keras-autoencoder"
    assert (contract.input.space, contract.input.resize, contract.input.size) == (
        "luma", "square", 64,
    )  # fmt: skip
    assert (contract.output.space, contract.max_batch) == ("rgb", 1)
    assert [one.name for one in model.parent.iterdir()] == ["keras.onnx"]


def test_the_pipeline_colors_a_photograph_with_it_and_keeps_the_luma(model, tmp_path):
    studio = Studio(tmp_path)
    studio.put("cup.png", grey("coffee"))
    outcome = restore_photo(studio.job("cup.png"), studio.workplace(model))
    assert outcome.state == "done", outcome
    result = studio.result("cup.png")
    assert luma_error(result, grey("coffee")) <= 1.0
    assert np.ptp(result.astype(int), axis=2).mean() > 2.0
