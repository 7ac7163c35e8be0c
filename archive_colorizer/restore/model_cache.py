"""Keep the networks of this process open, each once."""

import threading
from functools import lru_cache
from pathlib import Path

import cv2

from archive_colorizer.errors import ModelError
from archive_colorizer.model.colorizer import Colorizer, hash_model, open_colorizer
from archive_colorizer.model.ensemble import Ensemble
from archive_colorizer.model.registry import find_local_copy
from archive_colorizer.records.jobs import JobContext

_opening = threading.Lock()


def load_ensemble(context: JobContext) -> Ensemble:
    """Open the networks of a context; raises as `open_colorizer` and `Ensemble.build` do."""
    recipe = context.recipe
    # TensorRT builds an engine for one size; other sessions take all.
    size = recipe.working_size if recipe.device.startswith("tensorrt") else 0
    # A worker may run several threads; two sessions would double its memory.
    with _opening:
        opened = tuple(
            _open_once(model, sha256, recipe.device, context.threads, size)
            for model, sha256 in _list_models(context)
        )
    return Ensemble.build(opened, recipe)


def try_models(context: JobContext) -> str:
    """Open the networks of a context on this machine, and return the provider that runs them.

    Raises ModelError when one is missing or is another file than the run's, and DeviceError.
    """
    shot_models = [(shot_model.path, shot_model.sha256) for shot_model in context.shot_models]
    for model, sha256 in [*_list_models(context), *shot_models]:
        path = find_local_copy(Path(model))
        digest = hash_model(path)
        if digest != sha256:
            raise ModelError(
                f"model {path}: another file than that of this run (sha256 {digest[:12]}, not "
                f"{sha256[:12]}); copy the same one there"
            )
    return load_ensemble(context).provider


def _list_models(context: JobContext) -> list[tuple[str, str]]:
    """List file and digest of each network."""
    models = [(context.model, context.model_sha256)]
    if context.merge:
        models.append((context.merge, context.merge_sha256))
    return models


@lru_cache(maxsize=3)
def _open_once(model: str, sha256: str, device: str, threads: int, size: int) -> Colorizer:
    cv2.setNumThreads(threads)
    path = find_local_copy(Path(model))
    return open_colorizer(path, device=device, threads=threads, sha256=sha256, size=size)
