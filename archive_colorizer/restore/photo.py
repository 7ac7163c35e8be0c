"""Restore one photograph from file to file; workers run this."""

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from archive_colorizer._version import __version__
from archive_colorizer.color.analysis.tone import Tone
from archive_colorizer.color.space import Plane
from archive_colorizer.errors import SourceError
from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.image.formats import choose_format
from archive_colorizer.image.metadata.c2pa import add_credentials, can_hold_credentials
from archive_colorizer.image.metadata.xmp import (
    ProvenanceNote,
    add_provenance,
    build_sidecar,
    can_hold_xmp,
)
from archive_colorizer.image.raster import Format, Raster
from archive_colorizer.model.ensemble import Ensemble
from archive_colorizer.output.deliver import deliver
from archive_colorizer.output.deliveries import Check, PendingResult
from archive_colorizer.output.staging import Content, discard_on_error, load_content
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Companion, Job, JobContext, Source, Stamp
from archive_colorizer.records.outcomes import ALREADY_COLOR, Outcome, State
from archive_colorizer.restore.colorize import colorize_photo, find_weaknesses
from archive_colorizer.restore.delivery_queue import DeliveryQueue
from archive_colorizer.restore.guides import Guides
from archive_colorizer.restore.model_cache import load_ensemble
from archive_colorizer.restore.outcome_boundary import run_guarded
from archive_colorizer.restore.readback import check_result
from archive_colorizer.restore.render import Original, get_sharpening, rename_target, render
from archive_colorizer.restore.source_file import check_fixity, open_source
from archive_colorizer.storage.file_view import FileContent, compute_digest
from archive_colorizer.storage.reading import get_storage


def restore_photos(jobs: tuple[Job, ...], context: JobContext) -> list[Outcome]:
    """Restore and deliver each job's photograph; never raises for what one photograph did."""
    outcomes: list[Outcome] = []
    with DeliveryQueue(context) as queue:
        for job in jobs:
            queue.start_background()
            result = run_guarded(job, context.for_source(job.source), _restore)
            if isinstance(result, Outcome):
                outcomes.append(result)
            else:
                queue.add(result)
        return outcomes + queue.drain()


def restore_photo(job: Job, context: JobContext) -> Outcome:
    """Restore and deliver one photograph, as `restore_photos` does."""
    (outcome,) = restore_photos((job,), context)
    return outcome


@dataclass(frozen=True, slots=True, eq=False)
class FinishedPhoto:
    """Hold a finished file that has no target yet.

    luma: what it shows, upright.  original: format of the source; kind: format of `content`.
    """

    content: Content
    luma: Plane
    original: Format
    kind: Format
    sidecar: bytes | None
    outcome: Outcome

    def deliver(self, job: Job, context: JobContext) -> Outcome:
        """Deliver the file as the job's target; raises SourceChanged."""
        result = self.prepare_result(job, context.recipe)
        return deliver(result.content, job, context, result.outcome, result.sidecar, result.check)

    def prepare_result(self, job: Job, recipe: Recipe) -> PendingResult:
        """Prepare delivery; raises SourceChanged if the source or a companion has changed."""
        source, outcome = job.source.location, self.outcome
        if outcome.source_stamp is not None:
            with discard_on_error(self.content):
                get_storage(source).check_unchanged(outcome.source_stamp)
                for companion in outcome.beside:
                    if companion.stamp is not None:
                        storage = get_storage(source.parent / companion.name)
                        storage.check_unchanged(companion.stamp)
        check = self._build_check(job, recipe) if recipe.paranoid else None
        check_memory = self.luma.nbytes if check else 0
        outcome = replace(outcome, target=job.target)
        return PendingResult(self.content, job, outcome, self.sidecar, check, check_memory)

    def _build_check(self, job: Job, recipe: Recipe) -> Check:
        is_jpeg = self.original == self.kind == "jpeg"
        return partial(
            check_result,
            kind=self.kind,
            luma=self.luma,
            name=job.source.name,
            quality=recipe.jpeg_quality if is_jpeg else 0,
        )


def decode_photo(data: FileContent, name: str, recipe: Recipe) -> Raster:
    """Decode a file with the page and profile of the recipe; raises as `stills.decode` does."""
    page = recipe.page - 1 if recipe.page else None
    return stills.decode(data, name, recipe.max_pixels, recipe.profile, page)


def finish_photo(
    source: Source, ensemble: Ensemble, recipe: Recipe, draft: Outcome, work: str = ""
) -> FinishedPhoto | Outcome:
    """Read and color one photograph; returns a skipped Outcome if it is in color already.

    work: a folder for large files; "" keeps all in memory.  Raises errors of the source and
    of the network.
    """
    original, stamp, digest = _read(source, recipe)
    raster = original.raster
    height, width = raster.luma.shape
    guides = Guides.read(source, recipe.max_pixels)
    outcome = replace(
        draft,
        source_stamp=stamp,
        source_sha256=digest,
        width=width,
        height=height,
        beside=guides.beside,
        warnings=raster.warnings + guides.list_warnings(height, width),
    )
    tone = Tone.NEUTRAL if raster.preview is None else Tone.detect(raster.preview)
    if tone is Tone.COLORED and not recipe.force:
        message = f"{source.name}: already in color; --force restores it all the same"
        return replace(outcome, state=State.SKIPPED, reason=ALREADY_COLOR, message=message)
    if tone is not Tone.NEUTRAL:
        outcome = replace(
            outcome, warnings=(*outcome.warnings, f"{tone} source: made neutral first")
        )
    kind, losses = choose_format(raster, recipe.format)
    note = build_note(outcome, ensemble.name, Path(outcome.name).name, recipe)
    metadata = replace(raster.metadata, xmp=add_provenance(raster.metadata.xmp, note))
    field, measures = colorize_photo(raster.luma, ensemble, recipe, guides)
    rendering = render(original, field, metadata, recipe, kind, work)
    content, unsigned = _sign(rendering.content, kind, original.content, note, recipe)
    beside = recipe.sidecar or not can_hold_xmp(kind)
    return FinishedPhoto(
        content=content,
        luma=rendering.luma,
        original=raster.format,
        kind=kind,
        sidecar=build_sidecar(metadata.xmp or b"") if beside else None,
        outcome=replace(
            outcome,
            state=State.DONE,
            provider=ensemble.provider,
            measures=measures,
            weak=find_weaknesses(measures, recipe),
            warnings=(*outcome.warnings, *losses, *rendering.warnings, *unsigned),
        ),
    )


def _read(source: Source, recipe: Recipe) -> tuple[Original, Stamp, str]:
    """Read a source; returns it with its stamp and sha256.

    The encoded file is kept only if it is needed later: it may be as large as the picture.
    """
    with open_source(source.location, source.stamp) as (data, stamp):
        check_fixity(data, source)
        try:
            raster = decode_photo(data, source.name, recipe)
        except SourceError:
            if not isinstance(data, bytes):
                # A file that changed while it was read in pieces may look damaged.
                get_storage(source.location).check_unchanged(stamp)
            raise
        content = data[:] if raster.format == "jpeg" or recipe.c2pa else b""
        return Original(content, raster), stamp, compute_digest(data)


def _restore(job: Job, context: JobContext, draft: Outcome) -> PendingResult | Outcome:
    start = time.monotonic()
    ensemble = load_ensemble(context)
    finished = finish_photo(job.source, ensemble, context.recipe, draft, context.work)
    if isinstance(finished, Outcome):
        return finished
    renamed_job = rename_target(job, finished.original, finished.kind)
    result = finished.prepare_result(renamed_job, context.recipe)
    seconds = time.monotonic() - start
    return replace(result, outcome=replace(result.outcome, seconds=seconds))


def build_note(outcome: Outcome, model: str, source_name: str, recipe: Recipe) -> ProvenanceNote:
    """Describe how the color was made and from which source, for the result's metadata."""
    sharpening = get_sharpening(recipe)
    return ProvenanceNote(
        software=f"archive-colorizer {__version__}",
        model=model,
        model_sha256=outcome.model_sha256 or "",
        settings=outcome.settings or "",
        source_name=source_name,
        source_sha256=outcome.source_sha256 or "",
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        source_type=recipe.source_type,
        sharpening=sharpening.description if sharpening else "",
        aids=_describe_guides(outcome.beside, recipe),
    )


def _describe_guides(companions: tuple[Companion, ...], recipe: Recipe) -> tuple[str, ...]:
    """Describe what guided the color, files with their digest."""
    descriptions = [f"{file.role} {file.name} sha256 {file.sha256}" for file in companions]
    descriptions += [f"hint {hint.color} at {hint.at[0]:g},{hint.at[1]:g}" for hint in recipe.hint]
    if recipe.reference:
        name = Path(recipe.reference).name
        descriptions.append(f"reference {name} sha256 {recipe.reference_sha256}")
    if recipe.borders != "none":
        descriptions.append(f"borders {recipe.borders}")
    return tuple(descriptions)


def _sign(
    content: Content, kind: Format, source: bytes, note: ProvenanceNote, recipe: Recipe
) -> tuple[Content, tuple[str, ...]]:
    """Add Content Credentials if the recipe asks for them; warns if the format has none."""
    if not recipe.c2pa:
        return content, ()
    if not can_hold_credentials(kind):
        return content, (f"{kind.upper()} cannot hold Content Credentials: not signed",)
    certificate, key = Path(recipe.cert), Path(recipe.key)
    return add_credentials(load_content(content), kind, source, note, certificate, key), ()
