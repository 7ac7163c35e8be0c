"""Draw one photograph with several values of settings on a labeled contact sheet."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final

import cv2
import numpy as np
import numpy.typing as npt

from archive_colorizer.color.blend import blend_rgb
from archive_colorizer.color.space import FloatArray, Plane
from archive_colorizer.discovery.photo_settings import find_layers
from archive_colorizer.errors import UsageError
from archive_colorizer.image.codecs.planes import round_to_8_bit
from archive_colorizer.pipeline.run_session import ignore_message, open_ensemble
from archive_colorizer.recipe.fields import reject_unknown
from archive_colorizer.recipe.files import RecipeTables, build_recipe, order_layers
from archive_colorizer.recipe.overrides import OverrideRules
from archive_colorizer.recipe.recipe import DEFAULTS, Recipe
from archive_colorizer.restore.colorize import apply_user_color, infer_mask
from archive_colorizer.restore.contact_sheet import Rgb, Tile, draw_contact_sheet
from archive_colorizer.restore.guides import Guides
from archive_colorizer.restore.photo import decode_photo
from archive_colorizer.restore.render import sharpen_luma
from archive_colorizer.restore.source_file import find_source
from archive_colorizer.storage.atomic import write_atomically
from archive_colorizer.storage.reading import read_source

GRID_SETTINGS: Final = (
    "preset strength strength_shadows strength_highlights saturation hue value "
    "reference_strength blend working_size sharpen sharpen_radius sharpen_threshold model "
    "merge merge_mode merge_weight borders"
).split()
"""Settings that can be axes of a grid: those with a visible effect."""

_MOST: Final = 60
"""Pictures on a sheet at most; more are too small to compare."""
_HEIGHT: Final = 320
_COLUMNS: Final = 4
_OURS: Final = "archive-colorizer grid"
_OF_NETWORKS: Final = ("model", "merge", "merge_mode", "merge_weight", "working_size", "device")
"""Settings that determine the network's mask."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Hold a setting and its values."""

    name: str
    values: tuple[object, ...]

    @classmethod
    def parse(cls, text: str) -> "Axis":
        """Parse an axis, as in saturation=0.8,1,1.2; raises UsageError."""
        name, equals, written = text.partition("=")
        origin = f"--grid {text}"
        if not equals or not written:
            raise UsageError(
                f"{origin}: write a setting and its values, as in saturation=0.8,1,1.2"
            )
        name = name.strip().replace("-", "_")
        reject_unknown({name: None}, GRID_SETTINGS, origin)
        kind: Any = type(DEFAULTS[name])
        try:
            values = tuple(kind(value.strip()) for value in written.split(","))
        except ValueError:
            raise UsageError(f"{origin}: {name} takes numbers, as in {name}=0.8,1,1.2") from None
        return cls(name, values)


def write_grid(
    photo: Path,
    axes: Sequence[Axis],
    sheet: Path,
    recipe_file: Path | None,
    options: Mapping[str, object],
) -> int:
    """Write the sheet as a PNG; returns how many pictures are on it.

    The axes override the options, and these the settings next to the photograph.  Decodes the
    photograph once, and runs each network once at each size.  Raises UsageError, SourceError,
    ModelError, DeviceError and OutputError.
    """
    recipes = list(_build_recipes(photo, axes, recipe_file, options))
    _check_place(sheet, photo)
    plain = recipes[0][1]
    data, _ = read_source(photo)
    luma = decode_photo(data, photo.name, plain).luma
    close = any(axis.name.startswith("sharpen") for axis in axes)
    guides = Guides.read(find_source(photo), plain.max_pixels)
    renderer = _GridRenderer(luma, guides, close=close)
    tiles = (Tile(renderer.render(recipe), caption) for caption, recipe in recipes)
    along = len(axes[0].values)
    # A single axis is broken into rows of equal length.
    columns = along if len(axes) > 1 else -(-along // -(-along // _COLUMNS))
    count, pixels = draw_contact_sheet(tiles, columns, _HEIGHT)
    write_atomically(sheet, partial(_save, pixels=pixels))
    return count


def _build_recipes(
    photo: Path, axes: Sequence[Axis], recipe_file: Path | None, options: Mapping[str, object]
) -> Iterator[tuple[str, Recipe]]:
    """Yield caption and recipe of each picture, row by row; the first axis runs along the rows."""
    count = math.prod(len(axis.values) for axis in axes)
    if count > _MOST:
        raise UsageError(f"a grid of {count} pictures is too large; {_MOST} are the most")
    if len({axis.name for axis in axes}) < len(axes):
        raise UsageError("a setting stands in the grid twice; give it one list of values")
    file = f"recipe {recipe_file}", RecipeTables.read(recipe_file).photo
    beside = find_layers(photo, OverrideRules.load(recipe_file, options))
    along, *down = axes
    for outer in itertools.product(*(axis.values for axis in down)):
        for value in along.values:
            chosen = {along.name: value}
            chosen |= {axis.name: other for axis, other in zip(down, outer, strict=True)}
            recipe = build_recipe(order_layers(file, {**options, **chosen}, beside))
            lines = (f"{name} {_format_value(setting)}" for name, setting in chosen.items())
            yield "\n".join(lines), recipe


def _format_value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else Path(str(value)).name


class _GridRenderer:
    """Render one photograph by several recipes, small or, if `close`, its center at full size."""

    def __init__(self, luma: Plane, guides: Guides, close: bool) -> None:
        self._luma = luma
        self._guides = guides
        self._close = close
        self._masks: dict[tuple[object, ...], tuple[FloatArray, FloatArray]] = {}

    def render(self, recipe: Recipe) -> Rgb:
        """Render to H x W x 3 uint8."""
        field = apply_user_color(*self._infer_mask(recipe), self._luma, recipe, self._guides)[0]
        luma = sharpen_luma(self._luma, recipe)
        if self._close:
            return _crop_center(_reduce_to_bytes(blend_rgb(luma, field)))
        return np.asarray(blend_rgb(_shrink(luma), field), dtype=np.uint8)

    def _infer_mask(self, recipe: Recipe) -> tuple[FloatArray, FloatArray]:
        """Infer each mask once; returns it with the small luma that the network saw."""
        key = tuple(getattr(recipe, name) for name in _OF_NETWORKS)
        if key not in self._masks:
            self._masks[key] = infer_mask(self._luma, open_ensemble(recipe, ignore_message))
        return self._masks[key]


def _shrink(luma: Plane) -> npt.NDArray[np.uint8]:
    """Shrink luma to 8 bit and at most the height of a tile."""
    height = min(_HEIGHT, luma.shape[0])
    width = max(1, round(luma.shape[1] * height / luma.shape[0]))
    return _reduce_to_bytes(cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA))


def _reduce_to_bytes(samples: Any) -> npt.NDArray[np.uint8]:
    if samples.dtype == np.uint16:
        return round_to_8_bit(samples)
    return np.asarray(samples, dtype=np.uint8)


def _crop_center(rgb: Rgb) -> Rgb:
    """Crop to the center, of the size of a 4 : 3 tile."""
    height, width = min(_HEIGHT, rgb.shape[0]), min(_HEIGHT * 4 // 3, rgb.shape[1])
    top, left = (rgb.shape[0] - height) // 2, (rgb.shape[1] - width) // 2
    return rgb[top : top + height, left : left + width]


def _check_place(sheet: Path, photo: Path) -> None:
    """Raise UsageError unless the sheet is a new .png, or replaces a sheet."""
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

    info = PngImagePlugin.PngInfo()
    info.add_text("Software", _OURS)
    info.add_text("Description", "A photograph with several settings; color made by an algorithm")
    Image.fromarray(pixels).save(stream, "PNG", pnginfo=info)
