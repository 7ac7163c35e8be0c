"""Between a picture's luma and a network's tensors: one entry a color space.

PACK turns luma (H x W float32, 0..1, gamma-coded) into the picture that a network wants to see;
UNPACK turns what it gives into a color mask (h x w x 2 chroma, centred BT.601).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from archive_colorizer.color.resample import enlarge
from archive_colorizer.color.space import FloatArray, chroma_of, chroma_of_ab, lightness_of
from archive_colorizer.model.contract import (
    Channels,
    InputContract,
    InputSpace,
    OutputContract,
    OutputSpace,
)

Pack = Callable[[FloatArray], FloatArray]
Unpack = Callable[[FloatArray, FloatArray], FloatArray]

_LONGEST = 4
"""A working size is at most this many times longer than wide; longer pictures are squeezed."""


PACK: Final[Mapping[InputSpace, Pack]] = MappingProxyType(
    {
        "luma": lambda luma: luma[..., None],
        "lab-l": lambda luma: lightness_of(luma)[..., None] / np.float32(100),
        "grey-rgb": lambda luma: np.repeat(luma[..., None], 3, axis=2),
    }
)
"""Luma to H x W x C in 0..1."""

UNPACK: Final[Mapping[OutputSpace, Unpack]] = MappingProxyType(
    {
        "cbcr": lambda chroma, _luma: chroma,
        "lab-ab": lambda ab, luma: chroma_of_ab(luma, ab),
        "rgb": lambda rgb, _luma: chroma_of(rgb),
    }
)
"""h x w x c in the range of RANGES, and luma of the same size, to a color mask."""

RANGES: Final[Mapping[OutputSpace, tuple[float, float]]] = MappingProxyType(
    {"cbcr": (-0.5, 0.5), "lab-ab": (-128.0, 127.0), "rgb": (0.0, 1.0)}
)
"""What UNPACK takes of each space."""


def working_size(contract: InputContract, height: int, width: int) -> tuple[int, int]:
    """Height and width of the network's input for a picture of height x width pixels."""
    if contract.resize == "square":
        return contract.size, contract.size
    side = min(height, width) if contract.resize == "short-side" else max(height, width)
    longest = contract.size * (_LONGEST if contract.resize == "short-side" else 1)

    def rounded(pixels: int) -> int:
        step = contract.multiple_of
        wanted = min(pixels * contract.size / side, longest)
        return max(step, round(wanted / step) * step)

    return rounded(height), rounded(width)


def working_bounds(contract: InputContract) -> tuple[int, int]:
    """The least and the largest side of any working size."""
    if contract.resize == "square":
        return contract.size, contract.size
    sides = [working_size(contract, 1, 1000), working_size(contract, 1000, 1)]
    both = [side for size in (*sides, working_size(contract, 1, 1)) for side in size]
    return min(both), max(both)


def pack(luma: FloatArray, contract: InputContract) -> FloatArray:
    """The 1 x C x H x W float32 tensor for luma that already has the working size."""
    shown = PACK[contract.space](luma)
    scaled = shown * (contract.high - contract.low) + contract.low
    tensor = (scaled - _over(contract.mean)) / _over(contract.std)
    return np.ascontiguousarray(tensor.transpose(2, 0, 1)[None], dtype=np.float32)


def unpack(tensor: FloatArray, luma: FloatArray, contract: OutputContract) -> FloatArray:
    """The color mask (h x w x 2) of a 1 x c x h x w tensor, for the luma that was packed."""
    planes = tensor[0].transpose(1, 2, 0) * _over(contract.std) + _over(contract.mean)
    bottom, top = RANGES[contract.space]
    unit = np.clip((planes - contract.low) / (contract.high - contract.low), 0.0, 1.0)
    answer = np.asarray(unit * (top - bottom) + bottom, dtype=np.float32)
    height, width = answer.shape[:2]
    if luma.shape != (height, width):
        luma = enlarge(luma, height, width)
    return UNPACK[contract.space](answer, luma)


def _over(scale: Channels) -> FloatArray:
    """A scale, to be laid over the channels of H x W x C."""
    return np.asarray(scale, dtype=np.float32)
