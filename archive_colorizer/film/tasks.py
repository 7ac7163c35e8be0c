"""What the jobs of a film do: list its shots, restore a part, put the parts together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeAlias

from archive_colorizer.errors import SourceError, UsageError
from archive_colorizer.film.colorize import restore_part
from archive_colorizer.film.request import Span
from archive_colorizer.film.segments import Errand, codec_of, note_of, write_part
from archive_colorizer.film.shots import find_shots, list_of, own_recipe, read_list, with_settings
from archive_colorizer.model.colorizer import digest_of_model
from archive_colorizer.model.registry import find_model
from archive_colorizer.output.deliver import deliver
from archive_colorizer.recipe.film_shots import ShotSettings
from archive_colorizer.recipe.recipe import FilmRecipe
from archive_colorizer.records.jobs import Job, Shot, Source, Workplace
from archive_colorizer.records.outcomes import Outcome, State
from archive_colorizer.restore.model_cache import painter_of
from archive_colorizer.restore.outcome_boundary import settle
from archive_colorizer.run.plan import ALREADY_COLOR
from archive_colorizer.video.film import Film, FilmFacts
from archive_colorizer.video.layouts import layout_of
from archive_colorizer.video.open import Viewing, open_film
from archive_colorizer.video.sequence.source import check_frames_unchanged, digest_of_film

Look: TypeAlias = Callable[[str, int, int], None]
"""Takes a film's name, how many frames are searched for cuts, and how many of them are."""


@dataclass(frozen=True, slots=True)
class ListOrder:
    """How a cut list is made: taken from a person's file, or by looking for cuts in `span`."""

    given: Path | None
    span: Span


def facts_of(source: Source, film: FilmRecipe) -> FilmFacts:
    """What a film is, looked through once in each process; raises as `open_film` does."""
    # Without the checksum, which only some jobs know, all share the same facts.
    return _facts(replace(source, fixity=""), film)


@lru_cache(maxsize=4)
def _facts(source: Source, film: FilmRecipe) -> FilmFacts:
    with open_film(source.path, viewing_of(film)) as opened:
        return opened.facts


def open_again(source: Source, workplace: Workplace) -> Film:
    """The film, open, without looking through it a second time."""
    settings = workplace.film or FilmRecipe()
    known = facts_of(source, settings)
    return open_film(source.path, viewing_of(settings, workplace.threads), known)


def viewing_of(film: FilmRecipe, threads: int = 1) -> Viewing:
    """How the settings of a film ask for it to be looked at."""
    return Viewing(film.frames_a_second(), film.allow_missing, threads)


def frames_in(facts: FilmFacts, span: Span) -> range:
    """The frames of a film that lie in the span; raises UsageError when none does."""
    return range(*span.frames(facts.times, facts.time_base, facts.name))


def make_lists(
    jobs: tuple[Job, ...], workplace: Workplace, orders: Mapping[str, ListOrder], look: Look
) -> list[Outcome]:
    """Make each film's cut list; `orders` are by the jobs' keys."""
    return [
        settle(job, workplace, partial(_make_list, order=orders[job.key], look=look))
        for job in jobs
    ]


def _make_list(
    job: Job, workplace: Workplace, begun: Outcome, order: ListOrder, look: Look
) -> Outcome:
    with open_again(job.source, workplace) as film:
        facts = film.facts
        known = replace(
            begun,
            source_sha256=digest_of_film(job.source),
            width=facts.width,
            height=facts.height,
            frames=facts.frames,
            warnings=facts.warnings,
        )
        if facts.has_color and not workplace.recipe.force:
            said = f"{job.source.name}: already in color; --force restores it all the same"
            return replace(known, state=State.SKIPPED, reason=ALREADY_COLOR, message=said)
        frames = frames_in(facts, order.span)
        if order.given is None:
            shortest = (workplace.film or FilmRecipe()).shortest
            seen = partial(look, job.source.name, len(frames))
            data = list_of(find_shots(film, shortest, frames, seen))
        else:
            data = _read(order.given)
            shots_in(data, order.given.name, facts, frames)
    check_frames_unchanged(job.source, 0, facts.frames)
    return deliver(data, job, workplace, replace(known, state=State.DONE))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}; check --shots") from None


def shots_in(data: bytes, name: str, facts: FilmFacts, frames: range) -> tuple[Shot, ...]:
    """The shots of a cut list as far as they lie in `frames`.

    The list may be of these frames or of the whole film.  Raises UsageError.
    """
    try:
        return read_list(data, name, frames)
    except UsageError:
        if len(frames) == facts.frames:
            raise
    whole = read_list(data, name, range(facts.frames))
    cut = [
        replace(shot, first=max(shot.first, frames.start), last=min(shot.last, frames.stop))
        for shot in whole
    ]
    return tuple(shot for shot in cut if shot.first < shot.last)


def shots_listed(
    place: Path, facts: FilmFacts, span: Span, own: Sequence[ShotSettings]
) -> tuple[Shot, ...]:
    """The shots of the cut list at `place`, with the settings that a recipe has for some.

    Raises UsageError and SourceError.
    """
    shots = shots_in(_read(place), place.name, facts, frames_in(facts, span))
    return with_settings(shots, own, facts)


def restore_parts(jobs: tuple[Job, ...], workplace: Workplace) -> list[Outcome]:
    """Restore each job's part of a film; never raises for what one part did."""
    return [
        settle(job, place_for(job.part.shot, workplace) if job.part else workplace, _restore_part)
        for job in jobs
    ]


def place_for(shot: Shot, workplace: Workplace) -> Workplace:
    """The workplace with the model that this shot asks for; raises ModelError."""
    if shot.model is None:
        return workplace
    for known in workplace.shot_models:
        if known.name == shot.model:
            return replace(workplace, model=known.path, model_sha256=known.sha256)
    model = find_model(shot.model)
    return replace(workplace, model=str(model), model_sha256=digest_of_model(model))


def _restore_part(job: Job, workplace: Workplace, begun: Outcome) -> Outcome:
    part = job.part
    if part is None:
        raise UsageError(f"{job.name}: this job names no frames")
    painter = painter_of(workplace)
    with open_again(job.source, workplace) as film:
        known = replace(
            begun,
            state=State.DONE,
            source_sha256=job.source.fixity.removeprefix("sha256:") or None,
            provider=painter.provider,
            width=film.facts.width,
            height=film.facts.height,
            frames=part.frames,
        )
        recipe = own_recipe(workplace.recipe, part.shot)
        settings = workplace.film or FilmRecipe()
        layout = layout_of(film.facts, codec_of(film.facts, settings))
        frames = restore_part(film, part, painter, recipe, settings.smoothing, layout)
        note = note_of(known, workplace, job.source, painter.name)
        return write_part(frames, film.facts, layout, Errand(job, workplace, known, note))
