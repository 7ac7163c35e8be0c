"""Scans to measure speed with, made the same way each time from scikit-image's photographs."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
import pyvips
import simplejpeg
import tifffile
from skimage import data

NAMES: Final = ("astronaut", "chelsea", "coffee", "rocket")
QUALITY: Final = 90
_GRAIN: Final = 5.0
"""Standard deviation in 8-bit codes of the grain of a fast film, which codecs feel most."""
_GRAIN_SIZE: Final = 0.8
_ROWS: Final = 512


@dataclass(frozen=True, slots=True)
class Kind:
    """Sides in pixels, bits of a sample, how many different pictures, and how many in a run.

    in_color: stored as color without color.
    """

    suffix: str
    width: int
    height: int
    bits: int
    different: int
    usual: int
    quick: int
    in_color: bool = False

    @property
    def pixels(self) -> int:
        return self.width * self.height


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "jpeg": Kind(".jpg", 4000, 3000, 8, different=8, usual=200, quick=40),
        "color-jpeg": Kind(".jpg", 4000, 3000, 8, different=8, usual=200, quick=40, in_color=True),
        "png": Kind(".png", 6000, 4000, 8, different=2, usual=12, quick=2),
        "tiff": Kind(".tif", 8660, 5774, 16, different=1, usual=6, quick=2),
        "frame": Kind(".png", 640, 480, 8, different=8, usual=400, quick=100),
        "huge": Kind(".tif", 16330, 12248, 8, different=1, usual=1, quick=0),
    }
)
"""12 MP JPEG, grey and stored as color, 24 MP PNG, 50 MP 16-bit TIFF, 0.3 MP frame of a film,
200 MP TIFF; all without color."""


def make_pictures(name: str, folder: Path, count: int) -> list[Path]:
    """Write `count` scans of a kind; the later ones are further links to the first ones."""
    kind = KINDS[name]
    folder.mkdir(parents=True)
    paths = [folder / f"{name}-{at:04d}{kind.suffix}" for at in range(count)]
    for at, path in enumerate(paths):
        if at < kind.different:
            path.write_bytes(picture(name, at))
        else:
            os.link(paths[at % kind.different], path)
    return paths


def picture(name: str, at: int) -> bytes:
    """The file of one picture; other numbers give other photographs and other grain."""
    kind = KINDS[name]
    plane = grainy(kind, at)
    if kind.suffix == ".jpg":
        stored = np.repeat(plane[..., None], 3 if kind.in_color else 1, axis=2)
        space = "RGB" if kind.in_color else "GRAY"
        return bytes(simplejpeg.encode_jpeg(stored, QUALITY, space, "420"))
    if kind.suffix == ".png":
        image = pyvips.Image.new_from_array(plane)
        return bytes(image.pngsave_buffer(compression=6, keep="none"))
    return _tiff(plane)


def grainy(kind: Kind, at: int) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """A photograph made large and grey, with grain: H x W of the kind's depth."""
    photo = cv2.cvtColor(getattr(data, NAMES[at % len(NAMES)])(), cv2.COLOR_RGB2GRAY)
    large = cv2.resize(photo, (kind.width, kind.height), interpolation=cv2.INTER_CUBIC)
    depth = np.uint8 if kind.bits == 8 else np.uint16
    white = np.iinfo(depth).max
    result = np.empty(large.shape, depth)
    for top, grain in _grain(kind, at):
        exact = large[top : top + _ROWS].astype(np.float32) + grain
        result[top : top + _ROWS] = np.clip(np.rint(exact * (white / 255)), 0, white)
    return result


def _grain(kind: Kind, at: int) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    chance = np.random.default_rng(at)
    for top in range(0, kind.height, _ROWS):
        rows = min(_ROWS, kind.height - top)
        noise = chance.standard_normal((rows, kind.width), dtype=np.float32)
        soft = cv2.GaussianBlur(noise, (0, 0), _GRAIN_SIZE)
        yield top, soft * np.float32(_GRAIN / soft.std())


def _tiff(plane: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> bytes:
    from io import BytesIO

    target = BytesIO()
    tifffile.imwrite(target, plane, photometric="minisblack", rowsperstrip=64, metadata=None)
    return target.getvalue()
