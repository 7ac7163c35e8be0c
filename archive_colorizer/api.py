"""Restore photographs and archives from a program, by arrays and by paths.

This module, `Recipe` and the errors are public, and compatible from one minor version to the
next; everything else is internal.
"""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias, cast, overload

import numpy as np

from archive_colorizer.color.analysis.tone import Tone
from archive_colorizer.color.blend import blend_rgb
from archive_colorizer.color.space import Plane, compute_luma
from archive_colorizer.errors import OutputError, ResultUnwritable, UnsupportedPicture, UsageError
from archive_colorizer.executors.threads import count_cores
from archive_colorizer.image.formats import EXTENSIONS, FormatChoice
from archive_colorizer.image.raster import Format
from archive_colorizer.location import parse_location
from archive_colorizer.model.colorizer import Colorizer, hash_model, open_colorizer
from archive_colorizer.model.ensemble import Ensemble
from archive_colorizer.model.registry import find_model
from archive_colorizer.pipeline import photos as pipeline
from archive_colorizer.pipeline.request import validate_request
from archive_colorizer.pipeline.run_session import Notify, ignore_message
from archive_colorizer.recipe.overrides import OverrideRules
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Job, JobContext
from archive_colorizer.records.outcomes import Outcome
from archive_colorizer.restore.colorize import colorize_photo
from archive_colorizer.restore.guides import NO_GUIDES, Guides
from archive_colorizer.restore.outcome_boundary import draft_outcome
from archive_colorizer.restore.photo import decode_photo, finish_photo
from archive_colorizer.restore.reference import pin_reference
from archive_colorizer.restore.render import sharpen_luma
from archive_colorizer.restore.source_file import find_source
from archive_colorizer.run.driver import OutcomeCallback, ignore_outcome
from archive_colorizer.run.plan import compute_job_key
from archive_colorizer.run.summary import Summary
from archive_colorizer.storage.reading import read_source

__all__ = ["Model", "load_model", "restore_archive", "restore_photo"]

Name: TypeAlias = str | os.PathLike[str]


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """Hold a network open in this process; see `load_model`.  Threads may share it."""

    path: Path
    sha256: str
    colorizer: Colorizer

    @property
    def name(self) -> str:
        """The name in its contract."""
        return self.colorizer.contract.name

    @property
    def provider(self) -> str:
        """The provider in onnxruntime's words: CPUExecutionProvider, for example."""
        return self.colorizer.provider


def load_model(model: Name = "default", *, device: str = "auto", threads: int = 0) -> Model:
    """Open a model by its name in the registry, or an .onnx file.

    device: as in a Recipe; raises DeviceError if it cannot be used.  threads: of the CPU for
    one picture, 0 for all.  Raises ModelError for a missing or damaged model.
    """
    path = find_model(os.fspath(model))
    sha256 = hash_model(path)
    opened = open_colorizer(path, device=device, threads=threads or count_cores(), sha256=sha256)
    return Model(path, sha256, opened)


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
    model: from `load_model`, or a name or file; by default the recipe's.

    Without `output`, returns upright R'G'B' (H x W x 3) in the depth of the photograph, whose
    luma (BT.601) stays the same within 1 code value; the color of an array is ignored.  With
    `output`, writes the file that a run would write, in the format that its name says, and
    returns the Outcome: SKIPPED, with nothing written, if the photograph is in color and
    `force` is not set.

    Raises UsageError for invalid settings or arrays, SourceError (with the file's name) if a
    run would fail, TargetExists if `output` exists, and what `load_model` raises.
    """
    chosen = pin_reference((recipe or Recipe()).apply(settings, "restore_photo"))
    if isinstance(photo, np.ndarray):
        if output is not None:
            raise UsageError("an array has no metadata for a file; give the path of a photograph")
        return _colorize(_extract_luma(photo), model, chosen)
    path = Path(os.path.abspath(photo))  # noqa: PTH100 (names that are no UTF-8)
    if output is None:
        luma = _read(path, chosen)
        guides = Guides.read(find_source(path), chosen.max_pixels)
        return _colorize(luma, model, chosen, guides)
    target = Path(os.path.abspath(output))  # noqa: PTH100
    return _restore_to_file(path, target, _open_models(model, chosen), chosen)


def restore_archive(
    scans: Name | Sequence[Name],
    output: Name | None = None,
    *,
    model: Model | Name | None = None,
    recipe: Recipe | None = None,
    watch: OutcomeCallback = ignore_outcome,
    tell: Notify = ignore_message,
    retry_failed: bool = False,
    **settings: object,
) -> Summary:
    """Give a directory tree of photographs its color back, as `archive-colorize run` does.

    scans: one or several directories or files, or addresses in a store, as `s3://bucket/box`.
    output: a directory or an address, by default next to the only root, with `-colorized` after
    its name.  settings: as in a Recipe, over those of `recipe` and of files next to the scans.
    watch: called with each Outcome, and whether it is that of an earlier run.  tell: called
    with messages about the run itself.

    Worker processes import the main module of the program, so call this below
    `if __name__ == "__main__":`, or with `executor="serial"`.  Never raises for one photograph;
    raises UsageError, SourceError for a missing root, ModelError, DeviceError, OutputBusy if
    another run holds the output, and OutputError.
    """
    chosen = (recipe or Recipe()).apply(settings, "restore_archive")
    if model is not None:
        path = model.path if isinstance(model, Model) else find_model(os.fspath(model))
        chosen = replace(chosen, model=str(path))
    roots = [scans] if isinstance(scans, str | os.PathLike) else list(scans)
    request = validate_request(
        [parse_location(os.fspath(root)) for root in roots],
        None if output is None else parse_location(os.fspath(output)),
        chosen,
        retry_failed=retry_failed,
        overriding=OverrideRules(fixed=frozenset(settings)),
    )
    return pipeline.restore_archive(request, watch, tell)


def _extract_luma(photo: Plane) -> Plane:
    if photo.dtype not in (np.uint8, np.uint16):
        raise UsageError(f"values must be uint8 or uint16, not {photo.dtype}; scale and round them")
    if photo.ndim == 3 and photo.shape[2] == 3 and photo.size:
        return compute_luma(photo)
    if photo.ndim != 2 or not photo.size:
        raise UsageError(f"a photograph is H x W or H x W x 3 (R, G, B), not {photo.shape}")
    return photo


def _read(source: Path, recipe: Recipe) -> Plane:
    data, _ = read_source(source)
    raster = decode_photo(data, str(source), recipe)
    is_colored = raster.preview is not None and Tone.detect(raster.preview) is Tone.COLORED
    if is_colored and not recipe.force:
        raise UnsupportedPicture(f"{source}: already in color; force=True restores it all the same")
    return raster.luma


def _open_models(model: Model | Name | None, recipe: Recipe) -> list[Model]:
    """Open the model, or that of the recipe, and the one to merge with it, if any."""
    if not isinstance(model, Model):
        model = load_model(recipe.model if model is None else model, device=recipe.device)
    return [model, *([load_model(recipe.merge, device=recipe.device)] if recipe.merge else [])]


def _colorize(
    luma: Plane, model: Model | Name | None, recipe: Recipe, guides: Guides = NO_GUIDES
) -> Plane:
    models = _open_models(model, recipe)
    ensemble = Ensemble.build([model.colorizer for model in models], recipe)
    field, _ = colorize_photo(luma, ensemble, recipe, guides)
    return blend_rgb(sharpen_luma(luma, recipe), field)


def _restore_to_file(path: Path, target: Path, models: list[Model], recipe: Recipe) -> Outcome:
    kind = _choose_format(target)
    recipe = replace(recipe, format="same" if kind == "bmp" else cast("FormatChoice", kind))
    source = find_source(path)
    first, second = models[0], models[-1]
    context = JobContext(str(target.parent), "", recipe, str(first.path), first.sha256)
    if recipe.merge:
        context = replace(context, merge=str(second.path), merge_sha256=second.sha256)
    key = compute_job_key(source.name, "", context.models_sha256, context.settings)
    job = Job(key, source, target.name)
    ensemble = Ensemble.build([model.colorizer for model in models], recipe)
    try:
        with tempfile.TemporaryDirectory(prefix=".archive-colorizer-", dir=target.parent) as work:
            finished = finish_photo(source, ensemble, recipe, draft_outcome(job, context), work)
            if isinstance(finished, Outcome):
                return finished
            if finished.kind != kind:
                warnings = "; ".join(finished.outcome.warnings)
                reason = warnings or f"only a BMP becomes one, not {path.name}"
                raise ResultUnwritable(f"{target}: {reason}; choose another format")
            return finished.deliver(job, replace(context, work=work))
    except OSError as error:
        why = error.strerror or str(error)
        raise OutputError(f"cannot write in {target.parent}: {why}") from None


def _choose_format(target: Path) -> Format:
    for kind, suffixes in EXTENSIONS.items():
        if target.suffix.lower() in suffixes:
            return kind
    raise UsageError(f"{target}: results are .jpg, .png, .tif, .webp, .jp2 or .bmp")
