"""Painter: the network of a run, or the two whose masks are merged."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from archive_colorizer.color.merge import MergeMode, merge
from archive_colorizer.color.resample import enlarge
from archive_colorizer.color.space import FloatArray
from archive_colorizer.model.color_spaces import pack, unpack
from archive_colorizer.model.colorizer import Colorizer, resized
from archive_colorizer.model.contract import InputContract
from archive_colorizer.recipe.recipe import Recipe

Sight: TypeAlias = tuple[FloatArray, ...]
"""What the networks see of one picture: its luma at the working size of each."""


@dataclass(frozen=True, slots=True, eq=False)
class Painter:
    """One open network, or two and how they are merged; `weight` is that of the second."""

    colorizers: tuple[Colorizer, ...]
    mode: MergeMode = "mean"
    weight: float = 0.5

    @property
    def name(self) -> str:
        """The model's, or both models'."""
        return " + ".join(one.contract.name for one in self.colorizers)

    @property
    def licence(self) -> str:
        """The model's, or both models' where they differ."""
        return " + ".join(dict.fromkeys(one.contract.licence for one in self.colorizers))

    @property
    def provider(self) -> str:
        """What the networks run on."""
        return self.colorizers[0].provider

    @property
    def inputs(self) -> tuple[InputContract, ...]:
        """What each network wants to see."""
        return tuple(one.contract.input for one in self.colorizers)

    def batch(self, most: int) -> int:
        """How many pictures all networks take at once, `most` at the most."""
        return min(most, *(one.contract.max_batch or most for one in self.colorizers))

    def masks(self, sights: Sequence[Sight]) -> Iterator[FloatArray]:
        """The color masks (h x w x 2 chroma) of pictures of one shape, as one batch.

        Raises ModelOutputError when a network gives NaN.
        """
        lumas = list(zip(*sights, strict=True))
        made = [_masks(one, seen) for one, seen in zip(self.colorizers, lumas, strict=True)]
        for seen, first, *others in zip(lumas[0], *made, strict=True):
            mask = first
            for second in others:
                mask = merge(mask, second, luma_for(mask, seen), self.mode, self.weight)
            yield mask


def painter_with(networks: Iterable[Colorizer], recipe: Recipe) -> Painter:
    """The open networks at the recipe's working size, merged as it says; raises UsageError."""
    sized = tuple(resized(one, recipe.working_size) for one in networks)
    return Painter(sized, recipe.merge_mode, recipe.merge_weight)


def _masks(colorizer: Colorizer, lumas: Sequence[FloatArray]) -> Iterator[FloatArray]:
    given, made = colorizer.contract.input, colorizer.contract.output
    answers = colorizer.infer(np.concatenate([pack(luma, given) for luma in lumas]))
    for at, luma in enumerate(lumas):
        yield unpack(answers[at : at + 1], luma, made)


def luma_for(mask: FloatArray, seen: FloatArray) -> FloatArray:
    """The small luma at the size of the mask, where the network's output has another."""
    return seen if seen.shape == mask.shape[:2] else enlarge(seen, *mask.shape[:2])
