"""Run one network, or two whose masks are merged."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from archive_colorizer.color.merge import MergeMode, merge
from archive_colorizer.color.resample import enlarge
from archive_colorizer.color.space import FloatArray
from archive_colorizer.model.color_spaces import pack, unpack
from archive_colorizer.model.colorizer import Colorizer
from archive_colorizer.model.contract import InputContract
from archive_colorizer.recipe.recipe import Recipe

NetworkLumas: TypeAlias = tuple[FloatArray, ...]
"""The luma of one picture at the working size of each network."""


@dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """Hold one open network, or two and their merge mode; `weight` is that of the second."""

    colorizers: tuple[Colorizer, ...]
    mode: MergeMode = "mean"
    weight: float = 0.5

    @classmethod
    def build(cls, networks: Iterable[Colorizer], recipe: Recipe) -> "Ensemble":
        """Set the recipe's working size and merge mode; raises UsageError for a fixed size."""
        sized = tuple(network.resize_input(recipe.working_size) for network in networks)
        return cls(sized, recipe.merge_mode, recipe.merge_weight)

    @property
    def name(self) -> str:
        return " + ".join(colorizer.contract.name for colorizer in self.colorizers)

    @property
    def licence(self) -> str:
        licences = (colorizer.contract.licence for colorizer in self.colorizers)
        return " + ".join(dict.fromkeys(licences))

    @property
    def provider(self) -> str:
        return self.colorizers[0].provider

    @property
    def inputs(self) -> tuple[InputContract, ...]:
        return tuple(colorizer.contract.input for colorizer in self.colorizers)

    def limit_batch(self, max_batch: int) -> int:
        """Return how many pictures all networks take at once, at most `max_batch`."""
        return min(
            max_batch, *(colorizer.contract.max_batch or max_batch for colorizer in self.colorizers)
        )

    def infer_masks(self, sights: Sequence[NetworkLumas]) -> Iterator[FloatArray]:
        """Yield the color mask (h x w x 2 chroma) of each picture; all have one shape.

        Raises ModelOutputError when a network answers NaN.
        """
        lumas = list(zip(*sights, strict=True))
        masks = map(_infer_masks, self.colorizers, lumas)
        for luma, first, *other_masks in zip(lumas[0], *masks, strict=True):
            mask = first
            for second in other_masks:
                small = enlarge(luma, *mask.shape[:2])
                mask = merge(mask, second, small, self.mode, self.weight)
            yield mask


def _infer_masks(colorizer: Colorizer, lumas: Sequence[FloatArray]) -> Iterator[FloatArray]:
    model_input, model_output = colorizer.contract.input, colorizer.contract.output
    answers = colorizer.infer(np.concatenate([pack(luma, model_input) for luma in lumas]))
    for at, luma in enumerate(lumas):
        yield unpack(answers[at : at + 1], luma, model_output)
