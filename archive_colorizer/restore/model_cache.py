"""The networks of this process, each opened once."""

import threading
from functools import lru_cache
from pathlib import Path

import cv2

from archive_colorizer.errors import ModelError
from archive_colorizer.model.colorizer import Colorizer, digest_of_model, open_colorizer
from archive_colorizer.model.ensemble import Painter, painter_with
from archive_colorizer.model.registry import find_there
from archive_colorizer.records.jobs import Workplace

_opening = threading.Lock()


def painter_of(workplace: Workplace) -> Painter:
    """The workplace's networks; raises as `open_colorizer` and `resized` do."""
    recipe = workplace.recipe
    # An engine is made for one size; other sessions take all.
    size = recipe.working_size if recipe.device.startswith("tensorrt") else 0
    # A worker may run several threads; two sessions would double its memory.
    with _opening:
        opened = tuple(
            _open_once(model, sha256, recipe.device, workplace.threads, size)
            for model, sha256 in _wanted(workplace)
        )
    return painter_with(opened, recipe)


def try_models(workplace: Workplace) -> str:
    """Open the workplace's networks on this machine, and return the provider that runs them.

    Raises ModelError when one is missing or another file than the run's, and DeviceError.
    """
    asked = [(one.path, one.sha256) for one in workplace.shot_models]
    for model, sha256 in [*_wanted(workplace), *asked]:
        found = find_there(Path(model))
        digest = digest_of_model(found)
        if digest != sha256:
            raise ModelError(
                f"model {found}: another file than that of this run (sha256 {digest[:12]}, not "
                f"{sha256[:12]}); copy the same one there"
            )
    return painter_of(workplace).provider


def _wanted(workplace: Workplace) -> list[tuple[str, str]]:
    """File and digest of each network."""
    wanted = [(workplace.model, workplace.model_sha256)]
    if workplace.merge:
        wanted.append((workplace.merge, workplace.merge_sha256))
    return wanted


@lru_cache(maxsize=3)
def _open_once(model: str, sha256: str, device: str, threads: int, size: int) -> Colorizer:
    cv2.setNumThreads(threads)
    place = find_there(Path(model))
    return open_colorizer(place, device=device, threads=threads, sha256=sha256, size=size)
