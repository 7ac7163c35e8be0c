"""A grid: one photograph with settings at several values each, on a labelled contact sheet."""

import itertools
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final

import cv2
import numpy as np
import numpy.typing as npt

from archive_colorizer.color.blend import blend_rgb
from archive_colorizer.color.space import FloatArray, Plane
from archive_colorizer.discovery.photo_settings import layers_beside
from archive_colorizer.discovery.walk import accompanied
from archive_colorizer.errors import UsageError
from archive_colorizer.image.codecs.planes import rounded
from archive_colorizer.pipeline.run_session import Tell, open_painter, tell_nobody
from archive_colorizer.recipe.fields import reject_unknown
from archive_colorizer.recipe.files import layers_of, read_photo_layer, recipe_of
from archive_colorizer.recipe.overrides import load_overriding
from archive_colorizer.recipe.recipe import DEFAULTS, Recipe
from archive_colorizer.records.jobs import Source, Stamp
from archive_colorizer.restore.colorize import mask_of, recolored
from archive_colorizer.restore.contact_sheet import Rgb, Sheet, Tile
from archive_colorizer.restore.guides import Aids, read_aids
from archive_colorizer.restore.photo import decoded
from archive_colorizer.restore.render import luma_shown
from archive_colorizer.storage.atomic import write_whole
from archive_colorizer.storage.reading import read_source

OFFERED: Final = (
    "preset",
    "strength",
    "strength_shadows",
    "strength_highlights",
    "saturation",
    "hue",
    "value",
    "reference_strength",
    "blend",
    "working_size",
    "sharpen",
    "sharpen_radius",
    "sharpen_threshold",
    "model",
    "merge",
    "merge_mode",
    "merge_weight",
    "borders",
)
"""Settings that can stand in a grid: those of which one sees what they do."""

_MOST: Final = 60
"""Pictures on a sheet; more are too small to compare."""
_HEIGHT: Final = 320
_COLUMNS: Final = 4
_OURS: Final = "archive-colorizer grid"
_OF_NETWORKS: Final = ("model", "merge", "merge_mode", "merge_weight", "working_size", "device")
"""What decides about the network's own mask."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A setting and the values that it takes one after the other."""

    name: str
    values: tuple[object, ...]


def parse_axis(text: str) -> Axis:
    """An axis as it is written, saturation=0.8,1,1.2; raises UsageError."""
    name, equals, written = text.partition("=")
    origin = f"--grid {text}"
    if not equals or not written:
        raise UsageError(f"{origin}: write a setting and its values, as in saturation=0.8,1,1.2")
    name = name.strip().replace("-", "_")
    reject_unknown({name: None}, OFFERED, origin)
    kind: Any = type(DEFAULTS[name])
    try:
        values = tuple(kind(one.strip()) for one in written.split(","))
    except ValueError:
        raise UsageError(f"{origin}: {name} takes numbers, as in {name}=0.8,1,1.2") from None
    return Axis(name, values)


@dataclass(frozen=True, slots=True, kw_only=True)
class GridOrder:
    """A photograph, the axes, where the sheet goes, and the settings of all that the axes leave.

    The axes stand above the options, and these above the settings beside the photograph.
    """

    photo: Path
    axes: tuple[Axis, ...]
    sheet: Path
    recipe_file: Path | None
    options: Mapping[str, object]


def write_grid(order: GridOrder, tell: Tell = tell_nobody) -> int:
    """Write the sheet, a PNG, and nothing else; returns how many pictures are on it.

    The photograph is decoded once, and each network that is asked for sees it once at each
    size.  Raises UsageError, SourceError, ModelError, DeviceError and OutputError.
    """
    recipes = list(_recipes(order))
    _check_place(order.sheet, order.photo)
    plain = recipes[0][1]
    data, _ = read_source(order.photo)
    luma = decoded(data, order.photo.name, plain).luma
    close = any(axis.name.startswith("sharpen") for axis in order.axes)
    place = os.path.split(os.path.abspath(order.photo))  # noqa: PTH100
    source = accompanied(Source(*place, Stamp.of(order.photo.lstat())))
    studio = _Studio(luma, read_aids(source, plain.max_pixels), tell, close=close)
    tiles = (Tile(studio.picture(recipe), words) for words, recipe in recipes)
    along = len(order.axes[0].values)
    # A single axis is broken into rows of like length.
    columns = along if len(order.axes) > 1 else -(-along // -(-along // _COLUMNS))
    sheet = Sheet(columns=columns, height=_HEIGHT)
    write_whole(order.sheet, partial(_save, pixels=sheet.of(tiles)))
    return len(recipes)


def _recipes(order: GridOrder) -> Iterator[tuple[str, Recipe]]:
    """Words and recipe of each picture, row by row; the first axis goes along the rows."""
    count = math.prod(len(axis.values) for axis in order.axes)
    if count > _MOST:
        raise UsageError(f"a grid of {count} pictures is too large; {_MOST} are the most")
    if len({axis.name for axis in order.axes}) < len(order.axes):
        raise UsageError("a setting stands in the grid twice; give it one list of values")
    file = read_photo_layer(order.recipe_file)
    beside = layers_beside(order.photo, load_overriding(order.recipe_file, order.options))
    along, *down = order.axes
    for outer in itertools.product(*(axis.values for axis in down)):
        for value in along.values:
            chosen = {along.name: value}
            chosen |= {axis.name: one for axis, one in zip(down, outer, strict=True)}
            options = {**order.options, **chosen}
            recipe = recipe_of(layers_of(file, options, beside))
            yield "\n".join(f"{name} {_said(one)}" for name, one in chosen.items()), recipe


def _said(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else Path(str(value)).name


class _Studio:
    """Where one photograph is colored again and again, and shown small, or in part at full size."""

    def __init__(self, luma: Plane, aids: Aids, tell: Tell, close: bool) -> None:
        self._luma = luma
        self._aids = aids
        self._tell = tell
        self._close = close
        self._masks: dict[tuple[object, ...], tuple[FloatArray, FloatArray]] = {}

    def picture(self, recipe: Recipe) -> Rgb:
        """H x W x 3 uint8."""
        field = recolored(*self._mask(recipe), self._luma, recipe, self._aids)
        luma = luma_shown(self._luma, recipe)
        if self._close:
            return _middle(_bytes_of(blend_rgb(luma, field)))
        return np.asarray(blend_rgb(_shrunk(luma), field), dtype=np.uint8)

    def _mask(self, recipe: Recipe) -> tuple[FloatArray, FloatArray]:
        """The mask of the network, made once, and the small luma that it saw."""
        asked = tuple(getattr(recipe, name) for name in _OF_NETWORKS)
        if asked not in self._masks:
            self._masks[asked] = mask_of(self._luma, open_painter(recipe, self._tell))
        return self._masks[asked]


def _shrunk(luma: Plane) -> npt.NDArray[np.uint8]:
    """Luma in 8 bit, as high as a tile at most."""
    height = min(_HEIGHT, luma.shape[0])
    width = max(1, round(luma.shape[1] * height / luma.shape[0]))
    return _bytes_of(cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA))


def _bytes_of(samples: Any) -> npt.NDArray[np.uint8]:
    return rounded(samples) if samples.dtype == np.uint16 else np.asarray(samples, dtype=np.uint8)


def _middle(rgb: Rgb) -> Rgb:
    """The middle of a picture, of the size of a tile of 4 to 3."""
    height, width = min(_HEIGHT, rgb.shape[0]), min(_HEIGHT * 4 // 3, rgb.shape[1])
    top, left = (rgb.shape[0] - height) // 2, (rgb.shape[1] - width) // 2
    return rgb[top : top + height, left : left + width]


def _check_place(sheet: Path, photo: Path) -> None:
    """Raise UsageError unless the sheet is a new .png, or takes the place of a sheet."""
    if sheet.suffix.lower() != ".png":
        raise UsageError(f"{sheet} must end with .png")
    if sheet.is_symlink() or (sheet.exists() and not _is_sheet(sheet)):
        raise UsageError(f"{sheet} is there and is no contact sheet; choose another --output")
    if not photo.is_file():
        raise UsageError(f"{photo} is no file; a grid shows one photograph")


def _is_sheet(path: Path) -> bool:
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return picture.info.get("Software") == _OURS
    except (OSError, ValueError, SyntaxError):
        return False


def _save(stream: BinaryIO, pixels: Rgb) -> None:
    from PIL import Image, PngImagePlugin

    said = PngImagePlugin.PngInfo()
    said.add_text("Software", _OURS)
    said.add_text("Description", "A photograph with several settings; color made by an algorithm")
    Image.fromarray(pixels).save(stream, "PNG", pnginfo=said)
