"""The memory that a worker needs for a photograph, by the byte and the pixel."""

import os
import subprocess
import sys

import numpy as np
import pytest
import pyvips
import tifffile

from archive_colorizer.executors.environment import build_environment
from tests.locations import REPOSITORY_ROOT
from tests.model.networks import constant_model
from tests.photographs import at_16_bits, photograph

HEIGHT, WIDTH = 3600, 5000
ALWAYS = 50 << 20
"""Bytes that do not grow with the picture, or not as its pixels do."""


def scan(depth, channels=1):
    """A photograph made large, with grain, without which a result would be small.

    channels: 1 grey, 3 toned, 4 with alpha.
    """
    plane = grey_scan(depth)
    return (
        plane
        if channels == 1
        else np.dstack([plane, plane - plane // 16, plane // 2, plane][:channels])
    )


def grey_scan(depth):
    grey = photograph("astronaut")[..., 1:2]
    grey = (grey if depth == np.uint8 else at_16_bits(grey))[..., 0]
    tiles = -(-HEIGHT // 512), -(-WIDTH // 512)
    grain = np.random.default_rng(0).integers(0, np.iinfo(depth).max // 16, (HEIGHT, WIDTH), depth)
    return np.tile(grey // 2, tiles)[:HEIGHT, :WIDTH] + grain


def write(path, samples):
    if path.suffix == ".tif":
        kind = "minisblack" if samples.ndim == 2 else "rgb"
        extra = ["unassalpha"] if samples.shape[2:] == (4,) else None
        tifffile.imwrite(path, samples, photometric=kind, extrasamples=extra, rowsperstrip=64)
        return
    image = pyvips.Image.new_from_array(samples)
    kind = "rgb" if samples.ndim == 3 else "grey" if samples.itemsize == 2 else "b-w"
    kind += "16" if samples.itemsize == 2 else ""
    image.copy(interpretation="srgb" if kind == "rgb" else kind).pngsave(str(path), compression=1)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak and forgets it")
@pytest.mark.parametrize(
    ("suffix", "depth", "channels", "paranoid", "most"),
    [
        ("tif", np.uint16, 1, False, 2),
        ("tif", np.uint8, 1, False, 1.5),
        ("png", np.uint8, 1, False, 1.5),
        ("tif", np.uint16, 3, False, 3.5),
        ("png", np.uint16, 3, False, 3.5),
        ("tif", np.uint16, 4, False, 6),
        ("tif", np.uint16, 1, True, 2.5),
        ("png", np.uint16, 1, True, 3),
        ("png", np.uint8, 1, True, 5.5),
    ],
)
def test_a_worker_needs_few_bytes_a_pixel(tmp_path, suffix, depth, channels, paranoid, most):
    large = scan(depth, channels)
    write(tmp_path / f"small.{suffix}", large[:300, :400])
    write(tmp_path / f"large.{suffix}", large)
    model = constant_model(tmp_path / "m.onnx")
    names = [f"small.{suffix}", f"large.{suffix}", model.name, "out"]
    words = [str(tmp_path / name) for name in names] + ["paranoid"] * paranoid
    told = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.restore.peak",
            *words,
        ],
        env={**os.environ, **build_environment(1)},
        cwd=REPOSITORY_ROOT,
        check=True,
        stdout=subprocess.PIPE,
    )
    assert int(told.stdout) - ALWAYS <= most * HEIGHT * WIDTH
