"""The memory that a worker needs for a photograph, by the byte and the pixel."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import pyvips
import tifffile

from archive_colorizer.run.surroundings import environment
from tests.model.networks import constant_model
from tests.photographs import at_16_bits, photograph

HEIGHT, WIDTH = 3600, 5000
ALWAYS = 50 << 20
"""Bytes that do not grow with the picture, or not as its pixels do."""


def scan(depth):
    """A grey photograph made large, with grain, without which a result would be small."""
    grey = photograph("astronaut")[..., 1:2]
    grey = (grey if depth == np.uint8 else at_16_bits(grey))[..., 0]
    tiles = -(-HEIGHT // 512), -(-WIDTH // 512)
    grain = np.random.default_rng(0).integers(0, np.iinfo(depth).max // 16, (HEIGHT, WIDTH), depth)
    return np.tile(grey // 2, tiles)[:HEIGHT, :WIDTH] + grain


def write(path, samples):
    if path.suffix == ".tif":
        tifffile.imwrite(path, samples, photometric="minisblack", rowsperstrip=64)
    else:
        pyvips.Image.new_from_array(samples).pngsave(str(path), compression=1)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak and forgets it")
@pytest.mark.parametrize(
    ("suffix", "depth", "most"),
    [("tif", np.uint16, 4.5), ("tif", np.uint8, 2.5), ("png", np.uint8, 3)],
)
def test_a_worker_needs_few_bytes_a_pixel(tmp_path, suffix, depth, most):
    large = scan(depth)
    write(tmp_path / f"small.{suffix}", large[:300, :400])
    write(tmp_path / f"large.{suffix}", large)
    model = constant_model(tmp_path / "m.onnx")
    names = [f"small.{suffix}", f"large.{suffix}", model.name, "out"]
    told = subprocess.run(
        [sys.executable, "-m", "tests.restore.peak", *(str(tmp_path / name) for name in names)],
        env={**os.environ, **environment(1)},
        cwd=Path(__file__).parents[2],
        check=True,
        stdout=subprocess.PIPE,
    )
    assert int(told.stdout) - ALWAYS <= most * large.size
