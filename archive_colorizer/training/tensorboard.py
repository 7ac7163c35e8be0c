"""TensorBoard's log of a run, for those who have the package."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2

from archive_colorizer.errors import DependencyError


class Board:
    """Figures and pictures over the number of crops, in `folder`.

    Raises DependencyError without the tensorboard package.  Nothing is written before the
    first figure, so that under torchrun only the process that tells has a log.
    """

    def __init__(self, folder: Path) -> None:
        if importlib.util.find_spec("tensorboard") is None:
            raise DependencyError("--tensorboard: not installed; run: pip install tensorboard")
        self.folder = folder
        self._writer: Any = None

    def scalars(self, figures: Mapping[str, float], crops: int) -> None:
        """Numbers by name; `crops`: how many the network had seen."""
        for name, value in figures.items():
            self._log(crops).add_scalar(name, value, crops)

    def picture(self, name: str, path: Path, crops: int) -> None:
        """A picture file, as it is."""
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is not None:
            self._log(crops).add_image(name, picture[..., ::-1].copy(), crops, dataformats="HWC")

    def flush(self) -> None:
        """Write what is not yet written."""
        if self._writer is not None:
            self._writer.flush()

    def _log(self, crops: int) -> Any:
        if self._writer is None:
            # Late: it takes a second, and a run without a board should not wait for it.
            from torch.utils.tensorboard import SummaryWriter

            # A run that goes on hides what was logged after its checkpoint.
            self._writer = SummaryWriter(str(self.folder), purge_step=crops)
        return self._writer
