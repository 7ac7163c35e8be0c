"""Render a picture and its color to the bytes of the finished file."""

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath

import numpy as np

from archive_colorizer.color.blend import ChromaField, blend_planes, blend_strips
from archive_colorizer.color.sharpen import Sharpening, sharpen
from archive_colorizer.color.space import Plane
from archive_colorizer.errors import SourceError, UnsupportedPicture
from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.image.codecs.jpeg import codec as jpeg
from archive_colorizer.image.codecs.jpeg.lossless import encode_lossless
from archive_colorizer.image.codecs.jpeg.metadata import insert_metadata, read_orientation
from archive_colorizer.image.codecs.jpeg.scan_transfer import carry_scan
from archive_colorizer.image.formats import name_result
from archive_colorizer.image.metadata.model import turn_as_stored
from archive_colorizer.image.raster import Format, Metadata, Raster
from archive_colorizer.image.watermark import TOO_SMALL_NOTE, draw_mark, locate_mark
from archive_colorizer.output.staging import Content, stage_content
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Job


@dataclass(frozen=True, slots=True, eq=False)
class Rendering:
    """Hold a finished file, the luma it shows (upright), and warnings."""

    content: Content
    luma: Plane
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Original:
    """Hold a source's file and the picture decoded from it."""

    content: bytes
    raster: Raster


def render(
    original: Original,
    field: ChromaField,
    metadata: Metadata,
    recipe: Recipe,
    kind: Format,
    work: str = "",
) -> Rendering:
    """Blend and encode as `kind`; a large file is staged in the folder `work`, if that is not "".

    From JPEG to JPEG, the coded luma is carried over where the file allows that.  With
    luma = "lossless" a file whose luma had to be encoded again gets a warning.
    """
    raster = original.raster
    warnings: tuple[str, ...] = ()
    sharpening = get_sharpening(recipe)
    if sharpening is not None:
        warnings = (f"luma is not the source's own: {sharpening.description}",)
        raster = replace(raster, luma=sharpen_luma(raster.luma, recipe))
    if recipe.mark == "corner":
        warnings += () if locate_mark(*raster.luma.shape) else (TOO_SMALL_NOTE,)
        raster = replace(raster, luma=draw_mark(raster.luma))
    if not raster.format == kind == "jpeg":
        picture = blend_strips(raster.luma, field)
        write = partial(stills.write, picture, raster, metadata, kind)
        return Rendering(stage_content(write, picture.nbytes, work), raster.luma, warnings)
    refused = _explain_refusal(raster, recipe)
    is_lossless = recipe.luma == "lossless"
    if raster.as_coded and not refused and (is_lossless or not recipe.jpeg_quality):
        with suppress(UnsupportedPicture):
            return Rendering(_carry_luma(original, field, metadata), raster.luma, warnings)
    if is_lossless:
        if not refused:
            try:
                return Rendering(_encode_lossless(original, field, metadata), raster.luma, warnings)
            except SourceError as error:
                refused = str(error)
        warnings = (*warnings, f"luma was encoded again, not carried over bit for bit: {refused}")
    luma = np.asarray(raster.luma, dtype=np.uint8)
    cb, cr = blend_planes(luma, field)
    return Rendering(jpeg.encode_jpeg(luma, cb, cr, metadata, recipe.jpeg_quality), luma, warnings)


def sharpen_luma(luma: Plane, recipe: Recipe) -> Plane:
    """Sharpen luma if the recipe asks for it."""
    sharpening = get_sharpening(recipe)
    return luma if sharpening is None else sharpen(luma, sharpening)


def get_sharpening(recipe: Recipe) -> Sharpening | None:
    """Return how the recipe sharpens luma; None if it does not."""
    sharpening = Sharpening(recipe.sharpen, recipe.sharpen_radius, recipe.sharpen_threshold)
    return sharpening if sharpening.amount else None


def rename_target(job: Job, source: Format, kind: Format) -> Job:
    """Return the job with the target name of a result of format `kind`.

    A job that replaces an earlier result has the name of that result, whose format may differ:
    `scan.avif.png` is planned from `scan.avif` again.
    """
    name = PurePosixPath(job.target)
    if name.suffix != PurePosixPath(job.source.relative).suffix:
        name = name.with_suffix("")
    target = name_result(str(name), source, kind)
    return job if target == job.target else replace(job, target=target, replaces=False)


def _explain_refusal(raster: Raster, recipe: Recipe) -> str:
    if recipe.sharpen:
        return "sharpening changes it"
    if recipe.mark != "none":
        return "the visible mark changes it"
    return "its colors were converted to sRGB" if raster.converted else ""


def _carry_luma(original: Original, field: ChromaField, metadata: Metadata) -> bytes:
    cb, cr = blend_planes(np.asarray(original.raster.luma, dtype=np.uint8), field)
    return insert_metadata(carry_scan(original.content, cb, cr, "the source"), metadata)


def _encode_lossless(original: Original, field: ChromaField, metadata: Metadata) -> bytes:
    """Add chroma in the stored orientation, and leave the orientation tag as it is."""
    orientation = read_orientation(original.content)
    luma = np.asarray(turn_as_stored(original.raster.luma, orientation), dtype=np.uint8)
    stored = ChromaField(
        np.asarray(turn_as_stored(field.lines, orientation), dtype=np.float32),
        tuple(turn_as_stored(share, orientation) for share in field.spatial_masks),
    )
    cb, cr = blend_planes(luma, stored)
    return encode_lossless(original.content, cb, cr, metadata, "the source")
