"""From one value to another, smoothly."""

from typing import Any

import numpy as np
import numpy.typing as npt

from archive_colorizer.color.space import FloatArray


def smoothstep(position: npt.NDArray[np.floating[Any]]) -> FloatArray:
    """0 up to 0, 1 from 1 on, and between them a cubic that begins and ends level."""
    share = np.clip(position, 0, 1)
    return np.asarray(share * share * (3 - 2 * share), dtype=np.float32)
