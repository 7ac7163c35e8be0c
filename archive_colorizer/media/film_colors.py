"""The frames of a film in color, for people to look at and for nothing else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from archive_colorizer.errors import DamagedPicture, UnsupportedPicture
from archive_colorizer.video.decoder import pictures
from archive_colorizer.video.film import FilmFacts
from archive_colorizer.video.packet_index import FrameIndex
from archive_colorizer.video.sequence.source import frame_paths


def color_frames(path: Path, facts: FilmFacts, span: range) -> Iterator[npt.NDArray[np.uint8]]:
    """R'G'B' of 8 bits (H x W x 3), as stored, of the frames `span` of a film.

    Raises DamagedPicture, which names the frame, and UnsupportedPicture for DPX.
    """
    if facts.kind == "sequence":
        files = frame_paths(path)
        for at in span:
            yield _still(files[at])
        return
    index = FrameIndex(facts.times, facts.keys)
    for at, frame in pictures(path, facts.name, index, span):
        if frame is None:
            raise DamagedPicture(f"{facts.name}: frame {at} cannot be decoded")
        yield np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)


def _still(path: Path) -> npt.NDArray[np.uint8]:
    picture: Any = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if picture is None:
        raise UnsupportedPicture(f"{path.name} cannot be shown; compare as PNG, TIFF or JPEG")
    if picture.dtype == np.uint16:
        picture = (picture // 257).astype(np.uint8)
    return np.ascontiguousarray(picture[..., ::-1], dtype=np.uint8)
