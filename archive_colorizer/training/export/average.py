"""The mean of two trainings' weights.

Runs that began with the same weights can be averaged: the mean is often better than either, and
one that was trained on keeps more of what its start could do (Wortsman et al., Model soups,
arXiv:2203.05482, and Robust fine-tuning, arXiv:2109.01903).  It costs a run nothing.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from archive_colorizer.errors import ModelError, UsageError
from archive_colorizer.training.export.initial_weights import load_initial


@dataclass(frozen=True, slots=True)
class Other:
    """What to average with: a checkpoint, a run's folder, a model file or a shipped model's name.

    share: of its weights in the mean, between 0 and 1.
    """

    model: Path
    share: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 < self.share < 1.0:
            raise UsageError(f"share must be between 0 and 1, not {self.share:g}")


def average_with(content: dict[str, Any], other: Other, origin: str) -> dict[str, Any]:
    """The checkpoint `content` with the mean of both weights, and a fact that says so.

    Its validation history is left out: it is not that of the mean.  Raises ModelError when the
    two networks are not the same, and as `load_initial` does.
    """
    theirs = load_initial(other.model)
    for part in ("network", "kwargs"):
        if theirs[part] != content[part]:
            raise ModelError(
                f"{other.model}: has a {theirs['network']} with {theirs['kwargs']}, {origin} a "
                f"{content['network']} with {content['kwargs']}; only equal ones can be averaged"
            )
    if theirs["folded"]:
        raise ModelError(f"{other.model}: has its norms folded; give the checkpoint it came from")
    state = {
        name: torch.lerp(mine, theirs["state"][name].to(mine.dtype), other.share)
        if mine.is_floating_point()
        else mine
        for name, mine in content["state"].items()
    }
    said = {"model": other.model.name, "share": other.share}
    facts = {**content.get("facts", {}), "averaged_with": said}
    return {**content, "state": state, "facts": facts, "history": []}
