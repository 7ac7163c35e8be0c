"""Render: a picture and its color to the bytes of the finished file."""

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath

import numpy as np

from archive_colorizer.color.blend import ChromaField, blend_planes, blended
from archive_colorizer.color.sharpen import Sharpening, sharpened
from archive_colorizer.color.space import Plane
from archive_colorizer.errors import SourceError, UnsupportedPicture
from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.image.codecs.jpeg import codec as jpeg
from archive_colorizer.image.codecs.jpeg.lossless import encode_lossless
from archive_colorizer.image.codecs.jpeg.orientation import as_stored, stored_orientation
from archive_colorizer.image.codecs.jpeg.scan_transfer import carry_scan
from archive_colorizer.image.codecs.jpeg.segments import with_metadata
from archive_colorizer.image.formats import target_name
from archive_colorizer.image.raster import Format, Metadata, Raster
from archive_colorizer.image.watermark import TOO_SMALL, mark_box, with_mark
from archive_colorizer.output.staging import Content, drafted
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Job


@dataclass(frozen=True, slots=True, eq=False)
class Rendering:
    """A finished file, the luma that it shows (upright), and what is to be said about it."""

    content: Content
    luma: Plane
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Original:
    """A source's file and the picture that was decoded from it."""

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
    """Blend and encode as `kind`; a large file is made in the folder `work`, if that is not "".

    From JPEG to JPEG, the source's coded luma is carried over where the file allows that; where
    the recipe asks for it, more is done for it, and a file that does not allow it is named.
    """
    raster = original.raster
    said: tuple[str, ...] = ()
    sharpening = sharpening_of(recipe)
    if sharpening is not None:
        said = (f"luma is not the source's own: {sharpening.said}",)
        raster = replace(raster, luma=luma_shown(raster.luma, recipe))
    if recipe.mark == "corner":
        said += () if mark_box(*raster.luma.shape) else (TOO_SMALL,)
        raster = replace(raster, luma=with_mark(raster.luma))
    if not raster.format == kind == "jpeg":
        picture = blended(raster.luma, field)
        write = partial(stills.write, picture, raster, metadata, kind)
        return Rendering(drafted(write, picture.nbytes, work), raster.luma, said)
    refused = _why_not_lossless(raster, recipe)
    is_lossless = recipe.luma == "lossless"
    if raster.as_coded and not refused and (is_lossless or not recipe.jpeg_quality):
        with suppress(UnsupportedPicture):
            return Rendering(_carried(original, field, metadata), raster.luma, said)
    if is_lossless:
        if not refused:
            try:
                return Rendering(_lossless(original, field, metadata), raster.luma, said)
            except SourceError as error:
                refused = str(error)
        said = (*said, f"luma was encoded again, not carried over bit for bit: {refused}")
    luma = np.asarray(raster.luma, dtype=np.uint8)
    cb, cr = blend_planes(luma, field)
    return Rendering(jpeg.encode_jpeg(luma, cb, cr, metadata, recipe.jpeg_quality), luma, said)


def luma_shown(luma: Plane, recipe: Recipe) -> Plane:
    """The luma that a result has: that of its source, sharpened where that is asked for."""
    how = sharpening_of(recipe)
    return luma if how is None else sharpened(luma, how)


def sharpening_of(recipe: Recipe) -> Sharpening | None:
    """How luma is to be sharpened, if it is."""
    how = Sharpening(recipe.sharpen, recipe.sharpen_radius, recipe.sharpen_threshold)
    return how if how.amount else None


def placed(job: Job, source: Format, kind: Format) -> Job:
    """The job with the target's name that a result of format `kind` has.

    A job that replaces an earlier result names that result, which may have had another
    format: `scan.avif.png` is planned from `scan.avif` again.
    """
    planned = PurePosixPath(job.target)
    if planned.suffix != PurePosixPath(job.source.relative).suffix:
        planned = planned.with_suffix("")
    target = target_name(str(planned), source, kind)
    return job if target == job.target else replace(job, target=target, replaces=False)


def _why_not_lossless(raster: Raster, recipe: Recipe) -> str:
    if recipe.sharpen:
        return "sharpening changes it"
    if recipe.mark != "none":
        return "the visible mark changes it"
    return "its colors were converted to sRGB" if raster.converted else ""


def _carried(original: Original, field: ChromaField, metadata: Metadata) -> bytes:
    cb, cr = blend_planes(np.asarray(original.raster.luma, dtype=np.uint8), field)
    return with_metadata(carry_scan(original.content, cb, cr, "the source"), metadata)


def _lossless(original: Original, field: ChromaField, metadata: Metadata) -> bytes:
    """Pixels stay as they are stored, and so does the orientation tag: that is exact."""
    orientation = stored_orientation(original.content)
    luma = np.asarray(as_stored(original.raster.luma, orientation), dtype=np.uint8)
    stored = ChromaField(
        np.asarray(as_stored(field.lines, orientation), dtype=np.float32),
        tuple(as_stored(share, orientation) for share in field.shares),
    )
    cb, cr = blend_planes(luma, stored)
    return encode_lossless(original.content, cb, cr, metadata, "the source")
