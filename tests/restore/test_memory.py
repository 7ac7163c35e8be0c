"""The memory that a worker needs for a photograph, by the byte and the pixel."""

import os
import subprocess
import sys

import numpy as np
import pytest
import pyvips
import tifffile
from PIL import Image

from archive_colorizer.executors.environment import build_environment
from archive_colorizer.image.codecs.header import estimate_picture_memory
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
    assert measure_peak(tmp_path, suffix, paranoid) - ALWAYS <= most * HEIGHT * WIDTH


def measure_peak(folder, suffix, paranoid=False):
    """Restore small.`suffix` and then large.`suffix`; returns the peak of the latter."""
    model = constant_model(folder / "m.onnx")
    names = [f"small.{suffix}", f"large.{suffix}", model.name, "out"]
    words = [str(folder / name) for name in names] + ["paranoid"] * paranoid
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
    return int(told.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak and forgets it")
@pytest.mark.parametrize(
    ("suffix", "mode", "options"),
    [
        ("webp", "RGB", {"quality": 80}),
        ("webp", "RGBA", {"quality": 80}),
        ("avif", "RGB", {"speed": 10}),
        ("avif", "RGBA", {"speed": 10}),
        ("jpg", "L", {"progressive": True}),
        ("jpg", "RGB", {"progressive": True, "subsampling": 0}),
        ("jpg", "CMYK", {"progressive": True}),
    ],
)
def test_no_picture_that_is_held_whole_needs_more_than_its_header_says(
    tmp_path, suffix, mode, options
):
    large = Image.fromarray(scan(np.uint8, 4)[:2000, :3000]).convert(mode)
    large.crop((0, 0, 400, 300)).save(tmp_path / f"small.{suffix}", **options)
    large.save(tmp_path / f"large.{suffix}", **options)
    estimate = estimate_picture_memory(tmp_path / f"large.{suffix}")
    libraries = estimate_picture_memory(tmp_path / f"small.{suffix}")
    assert measure_peak(tmp_path, suffix) - ALWAYS <= estimate - libraries
