"""One photograph from file to file; this is what a worker runs."""

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from archive_colorizer._version import __version__
from archive_colorizer.color.analysis.tone import Tone, tone_of
from archive_colorizer.color.space import Plane
from archive_colorizer.errors import SourceError
from archive_colorizer.image.codecs import registry as stills
from archive_colorizer.image.formats import result_format
from archive_colorizer.image.metadata.c2pa import holds_credentials, with_credentials
from archive_colorizer.image.metadata.model import ProvenanceNote, with_provenance
from archive_colorizer.image.metadata.sidecar import holds_xmp, sidecar_for
from archive_colorizer.image.raster import Format, Raster
from archive_colorizer.model.ensemble import Painter
from archive_colorizer.output.deliver import deliver
from archive_colorizer.output.deliveries import Check, Parcel
from archive_colorizer.output.staging import Content, in_memory, unless_failed
from archive_colorizer.recipe.recipe import Recipe
from archive_colorizer.records.jobs import Companion, Job, Source, Stamp, Workplace
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.restore.colorize import flags_of, recolor
from archive_colorizer.restore.delivery_queue import Courier
from archive_colorizer.restore.guides import check_aids, read_aids
from archive_colorizer.restore.model_cache import painter_of
from archive_colorizer.restore.outcome_boundary import settle
from archive_colorizer.restore.readback import check_result
from archive_colorizer.restore.render import Original, placed, render, sharpening_of
from archive_colorizer.restore.source_file import check_fixity, open_source
from archive_colorizer.storage.file_view import Stored, digest_of
from archive_colorizer.storage.reading import check_unchanged


def restore_photos(jobs: tuple[Job, ...], workplace: Workplace) -> list[Outcome]:
    """Restore each job's photograph; never raises for what one photograph did.

    They are delivered beside the work on the next ones, small ones together (see Courier), and
    all before this returns.
    """
    outcomes: list[Outcome] = []
    with Courier(workplace) as courier:
        for job in jobs:
            courier.set_off()
            made = settle(job, workplace.of(job.source), _restore)
            if isinstance(made, Outcome):
                outcomes.append(made)
            else:
                courier.take(made)
        return outcomes + courier.delivered()


def restore_photo(job: Job, workplace: Workplace) -> Outcome:
    """Read, color and deliver one photograph, and say what became of it."""
    (outcome,) = restore_photos((job,), workplace)
    return outcome


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """A finished file without a place.

    `luma` is what it shows, upright; `outcome` is DONE and has no target yet.  `original` is
    the format of the source, `kind` that of `content`.
    """

    content: Content
    luma: Plane
    original: Format
    kind: Format
    sidecar: bytes | None
    outcome: Outcome


def decoded(data: Stored, name: str, recipe: Recipe) -> Raster:
    """The picture in a file as the recipe wants it read; raises as `stills.decode` does."""
    page = recipe.page - 1 if recipe.page else None
    return stills.decode(data, name, recipe.max_pixels, recipe.profile, page)


def finish(
    source: Source, painter: Painter, recipe: Recipe, begun: Outcome, work: str = ""
) -> Finished | Outcome:
    """Read and color one photograph: the finished file, or why it was left alone.

    work: a folder where large files may be made; without one, all are held in memory.
    Raises what is wrong with the source or the network.
    """
    original, stamp, digest = _read(source, recipe)
    raster = original.raster
    height, width = raster.luma.shape
    aids = read_aids(source, recipe.max_pixels)
    known = replace(
        begun,
        source_stamp=stamp,
        source_sha256=digest,
        width=width,
        height=height,
        beside=aids.beside,
        warnings=raster.warnings + aids.warnings(height, width),
    )
    tone = Tone.NEUTRAL if raster.preview is None else tone_of(raster.preview)
    if tone is Tone.COLORED and not recipe.force:
        said = f"{source.name}: already in color; --force restores it all the same"
        return replace(known, state=State.SKIPPED, reason="already-color", message=said)
    if tone is not Tone.NEUTRAL:
        known = replace(known, warnings=(*known.warnings, f"{tone} source: made neutral first"))
    kind, losses = result_format(raster, recipe.format)
    note = _note(painter, known, recipe)
    metadata = replace(raster.metadata, xmp=with_provenance(raster.metadata.xmp, note))
    field, measures = recolor(raster.luma, painter, recipe, aids)
    rendering = render(original, field, metadata, recipe, kind, work)
    content, unsigned = _signed(rendering.content, kind, original.content, note, recipe)
    beside = recipe.sidecar or not holds_xmp(kind)
    return Finished(
        content=content,
        luma=rendering.luma,
        original=raster.format,
        kind=kind,
        sidecar=sidecar_for(metadata.xmp or b"") if beside else None,
        outcome=replace(
            known,
            state=State.DONE,
            provider=painter.provider,
            measures=measures,
            weak=flags_of(measures, recipe),
            warnings=(*known.warnings, *losses, *rendering.warnings, *unsigned),
        ),
    )


def _read(source: Source, recipe: Recipe) -> tuple[Original, Stamp, str]:
    """The picture, with its file where somebody asks for that later; stamp and sha256.

    Else the file goes now: it may be as large as the picture.
    """
    with open_source(source.place, source.stamp) as (data, stamp):
        check_fixity(data, source)
        try:
            raster = decoded(data, source.name, recipe)
        except SourceError:
            if not isinstance(data, bytes):
                # What was read at two times may be no picture for that alone.
                check_unchanged(source.place, stamp)
            raise
        content = data[:] if raster.format == "jpeg" or recipe.c2pa else b""
        return Original(content, raster), stamp, digest_of(data)


def bring(finished: Finished, job: Job, workplace: Workplace) -> Outcome:
    """Deliver a finished file as the job's target, if its source is still what was read."""
    parcel = _parcel(finished, job, workplace.recipe)
    return deliver(parcel.content, job, workplace, parcel.settled, parcel.sidecar, parcel.check)


def _parcel(finished: Finished, job: Job, recipe: Recipe) -> Parcel:
    """The finished file on its way; raises SourceChanged when its source is not what was read."""
    stamp = finished.outcome.source_stamp
    if stamp is not None:
        with unless_failed(finished.content):
            check_unchanged(job.source.place, stamp)
            check_aids(job.source.place, finished.outcome.beside)
    check = _check(finished, job, recipe) if recipe.paranoid else None
    known = replace(finished.outcome, target=job.target)
    held = finished.luma.nbytes if check else 0
    return Parcel(finished.content, job, known, finished.sidecar, check, held)


def _restore(job: Job, workplace: Workplace, known: Outcome) -> Parcel | Outcome:
    begun = time.monotonic()
    painter = painter_of(workplace)
    finished = finish(job.source, painter, workplace.recipe, known, workplace.work)
    if isinstance(finished, Outcome):
        return finished
    parcel = _parcel(finished, placed(job, finished.original, finished.kind), workplace.recipe)
    seconds = time.monotonic() - begun
    return replace(parcel, settled=replace(parcel.settled, seconds=seconds))


def _check(finished: Finished, job: Job, recipe: Recipe) -> Check:
    """The look at a result before it gets its name."""
    is_jpeg = finished.original == finished.kind == "jpeg"
    return partial(
        check_result,
        kind=finished.kind,
        luma=finished.luma,
        name=job.source.name,
        quality=recipe.jpeg_quality if is_jpeg else 0,
    )


def _note(painter: Painter, known: Outcome, recipe: Recipe) -> ProvenanceNote:
    """Who made the color, by what means, and from what."""
    sharpening = sharpening_of(recipe)
    return ProvenanceNote(
        software=f"archive-colorizer {__version__}",
        model=painter.name,
        model_sha256=known.model_sha256 or "",
        settings=known.settings or "",
        source_name=Path(known.name).name,
        source_sha256=known.source_sha256 or "",
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        source_type=recipe.source_type,
        sharpening=sharpening.said if sharpening else "",
        aids=_said_of(known.beside, recipe),
    )


def _said_of(beside: tuple[Companion, ...], recipe: Recipe) -> tuple[str, ...]:
    """Whatever a person has given besides the photograph, files with their content's digest."""
    said = [f"{one.role} {one.name} sha256 {one.sha256}" for one in beside]
    said += [f"hint {one.color} at {one.at[0]:g},{one.at[1]:g}" for one in recipe.hint]
    if recipe.reference:
        name = Path(recipe.reference).name
        said.append(f"reference {name} sha256 {recipe.reference_sha256}")
    if recipe.borders != "none":
        said.append(f"borders {recipe.borders}")
    return tuple(said)


def _signed(
    content: Content, kind: Format, source: bytes, note: ProvenanceNote, recipe: Recipe
) -> tuple[Content, tuple[str, ...]]:
    """The file with Content Credentials, where the recipe asks for them and the format can."""
    if not recipe.c2pa:
        return content, ()
    if not holds_credentials(kind):
        return content, (f"{kind.upper()} cannot hold Content Credentials: not signed",)
    certificate, key = Path(recipe.cert), Path(recipe.key)
    return with_credentials(in_memory(content), kind, source, note, certificate, key), ()
