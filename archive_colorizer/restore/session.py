"""The networks of this process, each opened once."""

import threading
from functools import lru_cache
from pathlib import Path
from typing import TypedDict

import cv2

from archive_colorizer.model.colorizer import Colorizer, digest_of_model, open_colorizer
from archive_colorizer.model.shelf import find_model
from archive_colorizer.recipe import Recipe
from archive_colorizer.records import Workplace
from archive_colorizer.restore.painter import Painter, painter_with

_opening = threading.Lock()


class Models(TypedDict):
    """The fields of a Workplace that say which networks it has."""

    model: str
    model_sha256: str
    merge: str
    merge_sha256: str


def models_of(recipe: Recipe) -> Models:
    """The files that a recipe asks for, and their digests; raises ModelError."""
    model = find_model(recipe.model)
    merge = find_model(recipe.merge) if recipe.merge else None
    return Models(
        model=str(model),
        model_sha256=digest_of_model(model),
        merge=str(merge) if merge else "",
        merge_sha256=digest_of_model(merge) if merge else "",
    )


def painter_of(workplace: Workplace) -> Painter:
    """The workplace's networks; raises as `open_colorizer` and `resized` do."""
    recipe = workplace.recipe
    wanted = [(workplace.model, workplace.model_sha256)]
    if workplace.merge:
        wanted.append((workplace.merge, workplace.merge_sha256))
    # An engine is made for one size; other sessions take all.
    size = recipe.working_size if recipe.device.startswith("tensorrt") else 0
    # A worker may run several threads; two sessions would double its memory.
    with _opening:
        opened = tuple(
            _open_once(model, sha256, recipe.device, workplace.threads, size)
            for model, sha256 in wanted
        )
    return painter_with(opened, recipe)


@lru_cache(maxsize=3)
def _open_once(model: str, sha256: str, device: str, threads: int, size: int) -> Colorizer:
    cv2.setNumThreads(threads)
    return open_colorizer(Path(model), device=device, threads=threads, sha256=sha256, size=size)
