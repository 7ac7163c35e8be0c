"""Between a picture's luma and a network's tensors: one entry a color space.

PACK turns luma (H x W float32, 0..1, gamma-coded) into the picture that a network wants to see;
UNPACK turns what it gives into a color mask (h x w x 2 chroma, centred BT.601).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from archive_colorizer.color.sizes import enlarge
from archive_colorizer.color.space import FloatArray, chroma_of, lab_of, rgb_of_lab
from archive_colorizer.model.contract import InputContract, InputSpace, OutputContract, OutputSpace

Pack = Callable[[FloatArray], FloatArray]
Unpack = Callable[[FloatArray, FloatArray], FloatArray]

_LONGEST = 4
"""A working size is at most this many times longer than wide; longer pictures are squeezed."""


def _grey_rgb(luma: FloatArray) -> FloatArray:
    return np.repeat(luma[..., None], 3, axis=2)


def _lab_l(luma: FloatArray) -> FloatArray:
    return lab_of(_grey_rgb(luma))[..., :1] / np.float32(100)


def _from_lab_ab(unit: FloatArray, luma: FloatArray) -> FloatArray:
    lab = np.concatenate([_lab_l(luma) * 100, unit * 255 - 128], axis=2)
    return chroma_of(rgb_of_lab(lab.astype(np.float32)))


PACK: Final[Mapping[InputSpace, Pack]] = MappingProxyType(
    {
        "luma": lambda luma: luma[..., None],
        "lab-l": _lab_l,
        "grey-rgb": _grey_rgb,
    }
)
"""Luma to H x W x C in 0..1."""

UNPACK: Final[Mapping[OutputSpace, Unpack]] = MappingProxyType(
    {
        "cbcr": lambda unit, _luma: unit - np.float32(0.5),
        "lab-ab": _from_lab_ab,
        "rgb": lambda unit, _luma: chroma_of(unit),
    }
)
"""h x w x c in 0..1, and luma of the same size, to a color mask."""


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


def pack(luma: FloatArray, contract: InputContract) -> FloatArray:
    """The 1 x C x H x W float32 tensor for luma that already has the working size."""
    shown = PACK[contract.space](luma)
    scaled = shown * (contract.high - contract.low) + contract.low
    tensor = (scaled - contract.mean) / contract.std
    return np.ascontiguousarray(tensor.transpose(2, 0, 1)[None], dtype=np.float32)


def unpack(tensor: FloatArray, luma: FloatArray, contract: OutputContract) -> FloatArray:
    """The color mask (h x w x 2) of a 1 x c x h x w tensor, for the luma that was packed."""
    planes = tensor[0].transpose(1, 2, 0)
    unit = (planes - contract.low) / (contract.high - contract.low)
    unit = np.clip(unit, 0.0, 1.0).astype(np.float32)
    height, width = unit.shape[:2]
    if luma.shape != (height, width):
        luma = enlarge(luma, height, width)
    return UNPACK[contract.space](unit, luma)
