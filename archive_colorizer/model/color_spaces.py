"""Convert luma to a network's input tensor, and its output tensor to a color mask.

PACK takes luma (H x W float32, 0..1, gamma-coded); UNPACK returns a mask (h x w x 2 chroma,
centred BT.601).  Both have one entry for each color space.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from archive_colorizer.color.resample import enlarge
from archive_colorizer.color.space import (
    FloatArray,
    compute_chroma,
    compute_lightness,
    convert_ab_to_chroma,
)
from archive_colorizer.model.contract import (
    Channels,
    InputContract,
    InputSpace,
    OutputContract,
    OutputSpace,
)

Pack = Callable[[FloatArray], FloatArray]
Unpack = Callable[[FloatArray, FloatArray], FloatArray]

PACK: Final[Mapping[InputSpace, Pack]] = {
    "luma": lambda luma: luma[..., None],
    "lab-l": lambda luma: compute_lightness(luma)[..., None] / np.float32(100),
    "grey-rgb": lambda luma: np.repeat(luma[..., None], 3, axis=2),
}
"""Luma to H x W x C in 0..1."""

UNPACK: Final[Mapping[OutputSpace, Unpack]] = {
    "cbcr": lambda chroma, _luma: chroma,
    "lab-ab": lambda ab, luma: convert_ab_to_chroma(luma, ab),
    "rgb": lambda rgb, _luma: compute_chroma(rgb),
}
"""h x w x c in the range of RANGES, and luma of the same size, to a color mask."""

RANGES: Final[Mapping[OutputSpace, tuple[float, float]]] = {
    "cbcr": (-0.5, 0.5),
    "lab-ab": (-128.0, 127.0),
    "rgb": (0.0, 1.0),
}
"""The values that UNPACK takes, by color space."""


def pack(luma: FloatArray, contract: InputContract) -> FloatArray:
    """Return the 1 x C x H x W float32 tensor for luma that already has the working size."""
    shown = PACK[contract.space](luma)
    scaled = shown * (contract.high - contract.low) + contract.low
    tensor = (scaled - _to_array(contract.mean)) / _to_array(contract.std)
    return np.ascontiguousarray(tensor.transpose(2, 0, 1)[None], dtype=np.float32)


def unpack(tensor: FloatArray, luma: FloatArray, contract: OutputContract) -> FloatArray:
    """Return the color mask (h x w x 2) of a 1 x c x h x w tensor, for the packed luma."""
    planes = tensor[0].transpose(1, 2, 0) * _to_array(contract.std) + _to_array(contract.mean)
    bottom, top = RANGES[contract.space]
    unit = np.clip((planes - contract.low) / (contract.high - contract.low), 0.0, 1.0)
    answer = np.asarray(unit * (top - bottom) + bottom, dtype=np.float32)
    height, width = answer.shape[:2]
    return UNPACK[contract.space](answer, enlarge(luma, height, width))


def _to_array(scale: Channels) -> FloatArray:
    return np.asarray(scale, dtype=np.float32)
