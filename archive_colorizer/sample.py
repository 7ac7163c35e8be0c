"""A small archive of real photographs, laid out as archives are, to try things on.

The pictures are scikit-image's bundled ones (public domain or CC0), so that no network is
needed; color ones are made grey, as a scan of an old print would be.
"""

import io
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from archive_colorizer.color.space import Plane, luma_of
from archive_colorizer.errors import DependencyError, OutputError, UsageError

_SEPIA = np.array([1.0, 0.9, 0.75], dtype=np.float32)
_DPI = (300, 300)
_DESCRIPTION, _ORIENTATION, _DATE, _DATE_TAKEN = 270, 274, 306, 36867
_DETAILS, _GPS = 34665, 34853


@dataclass(frozen=True, slots=True)
class Sheet:
    """One file of the sample: its path below the archive, and what is remarkable about it."""

    path: str
    remark: str


SHEETS = (
    Sheet("README.txt", "no picture: skipped"),
    Sheet("album-1961/astronaut_portrait.jpg", "grey JPEG, EXIF with date and place"),
    Sheet("album-1961/launch pad, 1961.jpg", "sepia-toned print"),
    Sheet("album-1961/upright/kitten.jpg", "stored lying, EXIF orientation 6"),
    Sheet("glass-plates/plate_0001.tif", "16-bit grey TIFF"),
    Sheet("glass-plates/plate_0002.png", "grey PNG"),
    Sheet("glass-plates/plate_0003_damaged.jpg", "cut short: fails"),
    Sheet("loose/coffee_house.jpg", "already in color: skipped"),
    Sheet("loose/münzen.png", "16-bit grey PNG, name beyond ASCII"),
)


def lay_out_sample(folder: Path) -> tuple[Sheet, ...]:
    """Write the sample archive into `folder`, which must be new or empty.

    Raises UsageError when it holds something, DependencyError without scikit-image,
    OutputError when it cannot be written.
    """
    if find_spec("skimage") is None:
        raise DependencyError(
            "the sample needs scikit-image: pip install 'archive-colorizer[sample]'"
        )
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder} is not empty; name a new folder")
        contents = _contents()
        for sheet in SHEETS:
            target = folder / sheet.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(contents[sheet.path])
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror}") from None
    return SHEETS


def _contents() -> dict[str, bytes]:
    # skimage.data loads lazily and is untyped.
    data: Any = import_module("skimage.data")
    portrait, camera, coins = luma_of(data.astronaut()), data.camera(), data.coins()
    kitten, rocket = luma_of(data.chelsea()), luma_of(data.rocket())
    studio = {_DESCRIPTION: "Portrait in the studio", _DATE: "1961:05:05 09:34:00"}
    cape = {1: "N", 2: (28.0, 31.0, 26.0), 3: "W", 4: (80.0, 39.0, 3.0)}
    moon = _jpeg(data.moon(), {})
    files = (
        b"Photographs from scikit-image (public domain or CC0), made grey for trials.\n",
        _jpeg(portrait, studio, cape),
        _jpeg(_toned(rocket), {_DATE: "1961:05:25 12:00:00"}),
        _jpeg(np.rot90(kitten), {_ORIENTATION: 6}),
        _tiff16(camera),
        _png(coins),
        moon[: len(moon) * 2 // 3],
        _jpeg(data.coffee(), {_DATE: "2012:03:01 15:20:00"}),
        _png(_deep(coins[::-1])),
    )
    return dict(zip((sheet.path for sheet in SHEETS), files, strict=True))


def _toned(grey: Plane) -> Plane:
    """A print in sepia: paper warm, blacks neutral."""
    return np.asarray(np.rint(grey[..., None] * _SEPIA), dtype=np.uint8)


def _deep(grey: Plane) -> Plane:
    """16 bit with values between those of 8 bit, as a scanner gives them."""
    import cv2

    smooth = cv2.GaussianBlur(grey.astype(np.float32) * 257, (0, 0), 0.8)
    return np.asarray(np.clip(np.rint(smooth), 0, 65535), dtype=np.uint16)


def _jpeg(picture: Plane, tags: dict[int, Any], place: dict[int, Any] | None = None) -> bytes:
    from PIL import Image

    exif = Image.Exif()
    exif.update(tags)
    if _DATE in tags:
        exif.get_ifd(_DETAILS)[_DATE_TAKEN] = tags[_DATE]
    if place:
        exif.get_ifd(_GPS).update(place)
    target = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(picture))
    image.save(target, "JPEG", quality=92, exif=exif, dpi=_DPI)
    return target.getvalue()


def _tiff16(grey: Plane) -> bytes:
    import tifffile

    target = io.BytesIO()
    tifffile.imwrite(
        target,
        _deep(grey),
        photometric="minisblack",
        compression="zlib",
        predictor=True,
        resolution=_DPI,
        resolutionunit="INCH",
        description="Glass plate, man with a camera",
        datetime="1961:07:01 10:00:00",
        software=False,
        metadata=None,
    )
    return target.getvalue()


def _png(grey: Plane) -> bytes:
    import cv2

    return bytes(cv2.imencode(".png", np.ascontiguousarray(grey))[1])
