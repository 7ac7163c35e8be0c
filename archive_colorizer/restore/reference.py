"""The reference photograph of a recipe: pinned by its content, and its palette."""

import hashlib
import os
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from archive_colorizer.color.analysis.tone import Tone, tone_of
from archive_colorizer.color.palette import Palette, palette_of
from archive_colorizer.errors import SourceError, UsageError
from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Stamp
from archive_colorizer.storage.reading import read_source


def pinned(recipe: Recipe) -> Recipe:
    """The recipe with its reference as a whole path and the sha256 of its content.

    Raises UsageError for a file that is no photograph in color, or not the one whose sha256 the
    recipe states.
    """
    if not recipe.reference:
        return recipe
    path = os.path.abspath(recipe.reference)  # noqa: PTH100 (names that are no UTF-8)
    palette = _palette_at(path, recipe)
    return replace(recipe, reference=path, reference_sha256=palette.sha256)


def palette_for(recipe: Recipe) -> Palette | None:
    """The palette of the recipe's reference; raises as `pinned` does."""
    if not recipe.reference:
        return None
    return _palette_at(recipe.reference, recipe)


def _palette_at(path: str, recipe: Recipe) -> Palette:
    """Read once, until the file at `path` is another."""
    stamp = None
    with suppress(OSError):
        stamp = Stamp.of(os.stat(path))  # noqa: PTH116 (names that are no UTF-8)
    return _palette(path, stamp, recipe.reference_sha256, recipe.max_pixels)


@lru_cache(maxsize=4)
def _palette(path: str, _stamp: Stamp | None, sha256: str, max_pixels: int) -> Palette:
    try:
        data, _ = read_source(Path(path))
        preview = stills.decode(data, path, max_pixels).preview
    except SourceError as error:
        raise UsageError(f"reference {error}") from None
    found = hashlib.sha256(data).hexdigest()
    if sha256 not in ("", found):
        raise UsageError(
            f"reference {path} has another sha256 than the settings state; if it was changed "
            "on purpose, start the run again"
        )
    tone = Tone.NEUTRAL if preview is None else tone_of(preview)
    if preview is None or tone is not Tone.COLORED:
        what = "grey" if tone is Tone.NEUTRAL else "toned, as sepia is"
        raise UsageError(f"reference {path} is {what}; give a photograph in color")
    return palette_of(preview, Path(path).name, found)
