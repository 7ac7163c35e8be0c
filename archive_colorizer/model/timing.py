"""How long a network takes on this machine."""

import time
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np

from archive_colorizer.model.color_spaces import pack
from archive_colorizer.model.colorizer import open_colorizer

_ROUNDS: Final = 30
_PATIENCE: Final = 5.0
"""Seconds after which no further round begins: large networks need that for one."""


def milliseconds(path: Path) -> float:
    """Median time of one inference at the model's own working size, on one core of the CPU.

    Raises ModelError when the model cannot be opened or run.
    """
    colorizer = open_colorizer(path, device="cpu", threads=1)
    size = colorizer.contract.input.size
    luma = np.linspace(0, 1, size * size, dtype=np.float32).reshape(size, size)
    batch = pack(luma, colorizer.contract.input)
    times: list[float] = []
    begun = time.perf_counter()
    while len(times) < _ROUNDS and (not times or time.perf_counter() - begun < _PATIENCE):
        started = time.perf_counter()
        colorizer.infer(batch)
        times.append(time.perf_counter() - started)
    return 1000 * median(times)
