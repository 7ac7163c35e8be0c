"""The soak: that it tells a leak from noise, and ends as it should."""

import random
import subprocess
import sys

import pytest

from tests.locations import REPOSITORY_ROOT

pytest.importorskip("skimage.data", reason="the sample comes with scikit-image")

from benchmarks.soak import HEAD, Look, course
from tests.model.networks import constant_model

MINUTES = 30.0


def looks(megabytes=0.0, files=0.0, threads=0.0):
    """Half an hour of a process that grows by so much an hour, with 2 percent of noise."""
    chance = random.Random(1)  # noqa: S311
    hours = [second / 3600 for second in range(0, int(MINUTES * 60), 15)]
    return [
        Look(
            hour * 3600,
            400 * chance.uniform(0.98, 1.02) * min(1.0, 0.3 + hour * 30) + megabytes * hour,
            int(40 + files * hour),
            int(20 + threads * hour),
        )
        for hour in hours
    ]


def test_noise_and_the_loading_of_libraries_are_flat():
    found = course("worker 7", looks(), MINUTES)
    assert found.flat
    assert abs(found.slope) < 20
    assert len(found.row().split("|")) == len(HEAD.split("|"))


@pytest.mark.parametrize("leak", [{"megabytes": 120.0}, {"files": 8.0}, {"threads": 8.0}])
def test_a_leak_is_seen(leak):
    found = course("worker 7", looks(**leak), MINUTES)
    assert not found.flat
    assert found.row().endswith("NO")


@pytest.mark.slow
def test_a_short_one_runs_to_its_end(tmp_path):
    pytest.importorskip("onnx", reason="making a model file needs onnx")
    model = constant_model(tmp_path / "model.onnx")
    words = [sys.executable, "-m", "benchmarks.soak", "--minutes", "0.5", "--model", str(model)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=REPOSITORY_ROOT)
    assert "files accounted for in 0.5 minutes; ended with 143" in done.stdout
    assert done.stdout.count("| worker ") == 2
