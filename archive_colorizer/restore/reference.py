"""Pin the reference photograph of a recipe by its content, and measure its palette."""

import hashlib
import os
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from archive_colorizer.color.analysis.tone import Tone
from archive_colorizer.color.palette import Palette
from archive_colorizer.errors import SourceError, UsageError
from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Stamp
from archive_colorizer.storage.reading import read_source


def pin_reference(recipe: Recipe) -> Recipe:
    """Return the recipe with its reference as an absolute path and the sha256 of its content.

    Raises UsageError for a file that is not a photograph in color, or has another sha256 than
    the recipe states.
    """
    if not recipe.reference:
        return recipe
    path = os.path.abspath(recipe.reference)  # noqa: PTH100 (names that are no UTF-8)
    pinned = replace(recipe, reference=path)
    palette = load_palette(pinned)
    return pinned if palette is None else replace(pinned, reference_sha256=palette.sha256)


def load_palette(recipe: Recipe) -> Palette | None:
    """Load the palette of the recipe's reference; raises as `pin_reference` does.

    The file is read again only after it has changed.
    """
    if not recipe.reference:
        return None
    stamp = None
    with suppress(OSError):
        stamp = Stamp.from_stat(os.stat(recipe.reference))  # noqa: PTH116 (names that are no UTF-8)
    return _read_palette(recipe.reference, stamp, recipe.reference_sha256, recipe.max_pixels)


@lru_cache(maxsize=4)
def _read_palette(path: str, _stamp: Stamp | None, sha256: str, max_pixels: int) -> Palette:
    try:
        data, _ = read_source(Path(path))
        preview = stills.decode(data, path, max_pixels).preview
    except SourceError as error:
        raise UsageError(f"reference {error}") from None
    digest = hashlib.sha256(data).hexdigest()
    if sha256 not in ("", digest):
        raise UsageError(
            f"reference {path} has another sha256 than the settings state; if it was changed "
            "on purpose, start the run again"
        )
    tone = Tone.NEUTRAL if preview is None else Tone.detect(preview)
    if preview is None or tone is not Tone.COLORED:
        color = "grey" if tone is Tone.NEUTRAL else "toned, as sepia is"
        raise UsageError(f"reference {path} is {color}; give a photograph in color")
    return Palette.measure(preview, Path(path).name, digest)
