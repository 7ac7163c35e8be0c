"""The library: photographs and archives from a program, by arrays and by paths.

What stands here, `Recipe`, and the errors are meant for programs and stay as they are from
one minor version to the next; everything else is the inside.
"""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast, overload

import numpy as np

from archive_colorizer.color.analysis.tone import Tone, tone_of
from archive_colorizer.color.blend import blend_rgb
from archive_colorizer.color.space import Plane, luma_of
from archive_colorizer.discovery.walk import accompanied
from archive_colorizer.errors import (
    OutputError,
    ResultUnwritable,
    SourceError,
    UnsupportedPicture,
    UsageError,
)
from archive_colorizer.image.formats import EXTENSIONS, Wanted
from archive_colorizer.image.raster import Format
from archive_colorizer.location import given_place
from archive_colorizer.model.ensemble import Painter
from archive_colorizer.pipeline import photos as pipeline
from archive_colorizer.pipeline.request import place_order
from archive_colorizer.pipeline.run_session import Tell, tell_nobody
from archive_colorizer.recipe.overrides import Overriding
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Job, Source, Stamp
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.restore.colorize import recolor
from archive_colorizer.restore.guides import NO_AIDS, Aids, read_aids
from archive_colorizer.restore.loaded_model import (
    Model,
    Name,
    file_of,
    load_model,
    opened,
    painter_of,
    place_in,
)
from archive_colorizer.restore.photo import bring, decoded, finish
from archive_colorizer.restore.reference import pinned
from archive_colorizer.restore.render import luma_shown
from archive_colorizer.run.driver import Watch, watch_nothing
from archive_colorizer.run.plan import job_key
from archive_colorizer.run.summary import Summary
from archive_colorizer.storage.reading import read_source

__all__ = ["Model", "load_model", "restore_archive", "restore_photo"]


@overload
def restore_photo(
    photo: Plane | Name,
    output: None = None,
    *,
    model: Model | Name | None = None,
    recipe: Recipe | None = None,
    **settings: object,
) -> Plane: ...


@overload
def restore_photo(
    photo: Name,
    output: Name,
    *,
    model: Model | Name | None = None,
    recipe: Recipe | None = None,
    **settings: object,
) -> Outcome: ...


def restore_photo(
    photo: Plane | Name,
    output: Name | None = None,
    *,
    model: Model | Name | None = None,
    recipe: Recipe | None = None,
    **settings: object,
) -> Plane | Outcome:
    """Give one photograph its color back.

    photo: H x W grey values or H x W x 3 R'G'B' (sRGB), uint8 or uint16; or the path of a
    file of any format that a run reads.  settings: as in a Recipe, over those of `recipe`.
    model: of `load_model`, or what it takes; the recipe's when it is not given.

    Without `output`: R'G'B' as H x W x 3 in the depth of the photograph, upright, whose luma
    (BT.601) is that of the photograph within 1 code value.  Of an array only the luma counts,
    whatever color it has.  With `output`: the file that a run would write, metadata and all,
    in the format that the name of `output` says; an Outcome, which is SKIPPED, with nothing
    written, where the photograph has color already and `force` is not set.

    Raises UsageError for settings or arrays that cannot be meant, SourceError (with the
    file's name) for what a run would call failed, TargetExists when there is a file called
    `output`, and what `load_model` raises.
    """
    chosen = pinned((recipe or Recipe()).changed(settings, "restore_photo"))
    if isinstance(photo, np.ndarray):
        if output is not None:
            raise UsageError("an array has no metadata for a file; give the path of a photograph")
        luma = _luma_of(photo)
        return _colored(luma, painter_of(opened(model, chosen), chosen), chosen)
    source = Path(os.path.abspath(photo))  # noqa: PTH100 (names that are no UTF-8)
    if output is None:
        luma = _read(source, chosen)
        found = accompanied(Source(str(source.parent), source.name, _stamp_of(source)))
        aids = read_aids(found, chosen.max_pixels)
        return _colored(luma, painter_of(opened(model, chosen), chosen), chosen, aids)
    target = Path(os.path.abspath(output))  # noqa: PTH100
    return _to_file(source, target, opened(model, chosen), chosen)


def restore_archive(
    scans: Name | Sequence[Name],
    output: Name | None = None,
    *,
    model: Model | Name | None = None,
    recipe: Recipe | None = None,
    watch: Watch = watch_nothing,
    tell: Tell = tell_nobody,
    retry_failed: bool = False,
    **settings: object,
) -> Summary:
    """Give a directory tree of photographs its color back, as `archive-colorize run` does.

    scans: one or several directories or files, or addresses in a store, as `s3://bucket/box`.
    output: a directory or an address, by default beside the only root, with `-colorized` after
    its name.  settings: as in a Recipe, over those of `recipe` and of files beside the scans.
    watch: called with each Outcome, and whether an earlier run had settled it.  tell: takes
    sentences about the run itself.

    Worker processes import the main module of the program, so call this below
    `if __name__ == "__main__":`, or with `executor="serial"`.  Never raises for what one
    photograph does; raises UsageError, SourceError for a root that is not there, ModelError,
    DeviceError, OutputBusy when another run holds the output, and OutputError.
    """
    chosen = (recipe or Recipe()).changed(settings, "restore_archive")
    if model is not None:
        chosen = replace(chosen, model=str(file_of(model)))
    roots = [scans] if isinstance(scans, str | os.PathLike) else list(scans)
    order = place_order(
        [given_place(os.fspath(root)) for root in roots],
        None if output is None else given_place(os.fspath(output)),
        chosen,
        retry_failed=retry_failed,
        overriding=Overriding(fixed=frozenset(settings)),
    )
    return pipeline.restore_archive(order, watch, tell)


def _luma_of(photo: Plane) -> Plane:
    if photo.dtype not in (np.uint8, np.uint16):
        raise UsageError(f"values must be uint8 or uint16, not {photo.dtype}; scale and round them")
    if photo.ndim == 3 and photo.shape[2] == 3 and photo.size:
        return luma_of(photo)
    if photo.ndim != 2 or not photo.size:
        raise UsageError(f"a photograph is H x W or H x W x 3 (R, G, B), not {photo.shape}")
    return photo


def _read(source: Path, recipe: Recipe) -> Plane:
    data, _ = read_source(source)
    raster = decoded(data, str(source), recipe)
    is_colored = raster.preview is not None and tone_of(raster.preview) is Tone.COLORED
    if is_colored and not recipe.force:
        raise UnsupportedPicture(f"{source}: already in color; force=True restores it all the same")
    return raster.luma


def _colored(luma: Plane, painter: Painter, recipe: Recipe, aids: Aids = NO_AIDS) -> Plane:
    field, _ = recolor(luma, painter, recipe, aids)
    return blend_rgb(luma_shown(luma, recipe), field)


def _to_file(source: Path, target: Path, model: Model, recipe: Recipe) -> Outcome:
    kind = _kind_of(target)
    recipe = replace(recipe, format="same" if kind == "bmp" else cast("Wanted", kind))
    found = accompanied(Source(str(source.parent), source.name, _stamp_of(source)))
    place = place_in(target.parent, model, recipe)
    begun = Outcome(
        key=job_key(found.name, "", place.models_sha256, place.settings),
        name=found.name,
        state=State.FAILED,
        beside=found.beside,
        model_sha256=place.models_sha256,
        settings=place.settings,
    )
    job = Job(begun.key, found, target.name)
    try:
        with tempfile.TemporaryDirectory(prefix=".archive-colorizer-", dir=target.parent) as work:
            finished = finish(found, painter_of(model, recipe), recipe, begun, work)
            if isinstance(finished, Outcome):
                return finished
            if finished.kind != kind:
                said = "; ".join(finished.outcome.warnings)
                why = said or f"only a BMP becomes one, not {source.name}"
                raise ResultUnwritable(f"{target}: {why}; choose another format")
            return bring(finished, job, replace(place, work=work))
    except OSError as error:
        why = error.strerror or str(error)
        raise OutputError(f"cannot write in {target.parent}: {why}") from None


def _kind_of(target: Path) -> Format:
    for kind, suffixes in EXTENSIONS.items():
        if target.suffix.lower() in suffixes:
            return kind
    raise UsageError(f"{target}: results are .jpg, .png, .tif, .webp, .jp2 or .bmp")


def _stamp_of(source: Path) -> Stamp:
    try:
        return Stamp.of(source.lstat())
    except OSError as error:
        raise SourceError(f"{source} cannot be read: {error.strerror}") from None
