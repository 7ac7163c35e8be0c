"""The network of this process, opened once."""

import threading
from functools import lru_cache
from pathlib import Path

import cv2

from archive_colorizer.model.colorizer import Colorizer, open_colorizer
from archive_colorizer.records import Workplace

_opening = threading.Lock()


def colorizer_of(workplace: Workplace) -> Colorizer:
    """The workplace's network; raises ModelError and DeviceError as `open_colorizer` does."""
    # A worker may run several threads; two sessions would double its memory.
    with _opening:
        return _open_once(
            workplace.model, workplace.model_sha256, workplace.recipe.device, workplace.threads
        )


@lru_cache(maxsize=2)
def _open_once(model: str, sha256: str, device: str, threads: int) -> Colorizer:
    cv2.setNumThreads(threads)
    return open_colorizer(Path(model), device=device, threads=threads, sha256=sha256)
