"""Write a small archive of real photographs for trials.

The pictures come with scikit-image (public domain or CC0), so that no download is needed; color
pictures are converted to grey like scans of old prints.
"""

import io
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from archive_colorizer.color.space import Plane, compute_luma
from archive_colorizer.errors import DependencyError, OutputError, UsageError

_SEPIA = np.array([1.0, 0.9, 0.75], dtype=np.float32)
_DPI = (300, 300)
_DESCRIPTION, _ORIENTATION, _DATE, _DATE_TAKEN = 270, 274, 306, 36867
_EXIF_IFD, _GPS_IFD = 34665, 34853


_FILES: Final = {
    "README.txt": "no picture: skipped",
    "album-1961/astronaut_portrait.jpg": "grey JPEG, EXIF with date and place",
    "album-1961/launch pad, 1961.jpg": "sepia-toned print",
    "album-1961/upright/kitten.jpg": "stored lying, EXIF orientation 6",
    "glass-plates/plate_0001.tif": "16-bit grey TIFF",
    "glass-plates/plate_0002.png": "grey PNG",
    "glass-plates/plate_0003_damaged.jpg": "cut short: fails",
    "loose/coffee_house.jpg": "already in color: skipped",
    "loose/münzen.png": "16-bit grey PNG, name beyond ASCII",
}
"""Remarks for the user by the path below the archive."""


def write_sample(folder: Path) -> dict[str, str]:
    """Write the sample archive into a new or empty folder; return the remarks by path.

    Raises UsageError if it is not empty, DependencyError without scikit-image, OutputError.
    """
    if find_spec("skimage") is None:
        raise DependencyError(
            "the sample needs scikit-image: pip install 'archive-colorizer[sample]'"
        )
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder} is not empty; name a new folder")
        for path, content in zip(_FILES, _build_contents(), strict=True):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror}") from None
    return _FILES


def _build_contents() -> tuple[bytes, ...]:
    """Build the files in the order of `_FILES`."""
    # skimage.data loads lazily and is untyped.
    data: Any = import_module("skimage.data")
    portrait, camera, coins = compute_luma(data.astronaut()), data.camera(), data.coins()
    kitten, rocket = compute_luma(data.chelsea()), compute_luma(data.rocket())
    studio = {_DESCRIPTION: "Portrait in the studio", _DATE: "1961:05:05 09:34:00"}
    cape = {1: "N", 2: (28.0, 31.0, 26.0), 3: "W", 4: (80.0, 39.0, 3.0)}
    moon = _encode_jpeg(data.moon(), {})
    return (
        b"Photographs from scikit-image (public domain or CC0), made grey for trials.\n",
        _encode_jpeg(portrait, studio, cape),
        _encode_jpeg(_tone(rocket), {_DATE: "1961:05:25 12:00:00"}),
        _encode_jpeg(np.rot90(kitten), {_ORIENTATION: 6}),
        _encode_tiff16(camera),
        _encode_png(coins),
        moon[: len(moon) * 2 // 3],
        _encode_jpeg(data.coffee(), {_DATE: "2012:03:01 15:20:00"}),
        _encode_png(_deepen(coins[::-1])),
    )


def _tone(grey: Plane) -> Plane:
    return np.asarray(np.rint(grey[..., None] * _SEPIA), dtype=np.uint8)


def _deepen(grey: Plane) -> Plane:
    """Return 16-bit values between those of 8 bit, like a scanner's."""
    import cv2

    smooth = cv2.GaussianBlur(grey.astype(np.float32) * 257, (0, 0), 0.8)
    return np.asarray(np.clip(np.rint(smooth), 0, 65535), dtype=np.uint16)


def _encode_jpeg(picture: Plane, tags: dict[int, Any], gps: dict[int, Any] | None = None) -> bytes:
    from PIL import Image

    exif = Image.Exif()
    exif.update(tags)
    if _DATE in tags:
        exif.get_ifd(_EXIF_IFD)[_DATE_TAKEN] = tags[_DATE]
    if gps:
        exif.get_ifd(_GPS_IFD).update(gps)
    target = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(picture))
    image.save(target, "JPEG", quality=92, exif=exif, dpi=_DPI)
    return target.getvalue()


def _encode_tiff16(grey: Plane) -> bytes:
    import tifffile

    target = io.BytesIO()
    tifffile.imwrite(
        target,
        _deepen(grey),
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


def _encode_png(grey: Plane) -> bytes:
    import cv2

    return bytes(cv2.imencode(".png", np.ascontiguousarray(grey))[1])
